"""The backward pass of a program: what it may overwrite, and what it must not."""

import pytest
import torch
from helpers.networks import signed
from torch import nn

import relprop


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "alpha-beta", "z-plus"])
def test_relevance_that_is_differentiated_keeps_what_autograd_needs(rule):
    """Its gradient along a direction is that of two explanations close by."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.SiLU(), nn.Linear(5, 3))
    recipe = relprop.Recipe.preset("zero").using("*", rule)
    explainer = relprop.Explainer(model.double().eval(), recipe)
    x, direction, step = signed(2, 6), signed(2, 6, seed=2), 1e-6
    weights = signed(2, 6, seed=3)
    leaf = x.clone().requires_grad_()
    relevance = explainer(leaf, target=1, create_graph=True).relevance
    (gradient,) = torch.autograd.grad((relevance * weights).sum(), leaf)
    ends = [explainer(x + s * direction, target=1).relevance for s in (step, -step)]
    expected = ((ends[0] - ends[1]) * weights).sum() / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-5, atol=1e-7)


def test_what_an_observer_holds_is_not_overwritten():
    """A max pool writes into one buffer for all targets where nobody looks; layers= holds it."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten()),
        nn.Linear(32, 3),
    )
    recipe = relprop.Recipe.preset("epsilon").using("2", "flat")
    explainer, x = relprop.Explainer(model.double().eval(), recipe), signed(2, 1, 12, 12)
    targets = [relprop.at(0), relprop.at(1)]
    both = explainer(x, target=targets, layers=["0"]).layers["0"]
    for k in range(2):
        alone = explainer(x, target=k, layers=["0"]).layers["0"]
        torch.testing.assert_close(both[:, k], alone, rtol=1e-12, atol=0)


def test_gamma_after_a_sum_of_minus_its_stabiliser_is_finite():
    """X >= 0 with weights of 0 and a bias of -1e-6: the denominator would be exactly 0."""
    model = nn.Sequential(nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double().eval()
    with torch.no_grad():
        model[1].weight[0], model[1].bias[0] = 0.0, -1e-6
    relevance = relprop.Explainer(model, "gamma")(signed(2, 3), target=0).relevance
    assert bool(relevance.isfinite().all())
    with torch.no_grad():
        model[1].bias[0] = -1.0  # as dead as before: nothing else changes
    torch.testing.assert_close(
        relprop.explain(model, signed(2, 3), "gamma", 0).relevance, relevance
    )
