"""Distances: relevance with a ledger, and a gradient that can be differentiated again."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.program.distances import plain_distances


class Prototypes(nn.Module):
    """Scores by distances to learned points, by another norm or another mode."""

    def __init__(self, p=2.0, mode="use_mm_for_euclid_dist_if_necessary"):
        super().__init__()
        self.layer, self.points = nn.Linear(4, 4), nn.Parameter(torch.randn(3, 4))
        self.p, self.mode = p, mode

    def forward(self, x):
        points = self.points[None].expand(x.shape[0], 3, 4)
        return -torch.cdist(self.layer(x)[:, None], points, self.p, self.mode)[:, 0]


CASES = [
    (2.0, "use_mm_for_euclid_dist"),
    (2.0, "donot_use_mm_for_euclid_dist"),
    (1.0, None),
    (3.0, None),
]


@pytest.mark.parametrize(("p", "mode"), CASES)
def test_the_gradient_of_a_distance_has_a_ledger(p, mode):
    model = randomise(Prototypes(p, mode or "use_mm_for_euclid_dist_if_necessary")).double()
    x = signed(2, 4)
    recipe = relprop.Recipe.preset("zero").using(relprop.Selector(operation="cdist"), "gradient")
    e = relprop.Explainer(model, recipe)(x, 1, ledger=True)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(e.relevance, x * gradient)
    assert e.ledger.error <= 1e-9
    again = relprop.Explainer(model, recipe)(x.clone(), 1, create_graph=True)
    torch.testing.assert_close(again.relevance.detach(), e.relevance)
    assert torch.autograd.grad(again.relevance.sum(), model.layer.weight)[0].any()


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 4.0, float("inf")])
def test_distances_are_those_of_torch(p):
    first, second = signed(2, 5, 3), signed(3, 3)
    torch.testing.assert_close(plain_distances(first, second, p), torch.cdist(first, second, p))
