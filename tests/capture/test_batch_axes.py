"""Batch axes: models that mix the samples of a batch."""

import pytest
import torch
from helpers.function_between import Between
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe


@pytest.mark.parametrize("x", [signed(2, 4), signed(1, 4), signed(1, 4).expand(2, 4)])
def test_samples_that_are_mixed_are_named(x):
    """Also where there is one sample, or two that are the same: the plan serves for others."""
    for function in (
        lambda h: nn.functional.linear(h, h[:1].expand(4, 4)),  # a result without a batch
        lambda h: h + h.flip(0),  # a result with one, in which each sample takes from another
        lambda h: h * (h.sum(0) > 0),  # through a mask alone
        lambda h: torch.where(h > 0, h, 0.0).cumsum(0),  # what is NaN in one is 0 in the next
        lambda h: torch.where(h.abs() < 9, h, 0.0).flip(0).cumsum(0).flip(0),
    ):
        model = randomise(Between(function))
        with pytest.raises(relprop.RelpropError, match="mixes the samples of a batch"):
            relprop.Explainer(model, "zero").plan(x.float())


def test_samples_that_are_mixed_are_refused_again_by_another_recipe():
    """Also if the first recipe had no rule, and so nothing was run by it."""
    model = randomise(Between(lambda h: torch.where(h.abs() < 9, h, 0.0).flip(0).cumsum(0).flip(0)))
    explainer = relprop.Explainer(model, Recipe.preset("zero").using("nowhere", "gamma"))
    for _ in range(2):
        with pytest.raises(relprop.RelpropError, match="matches no module"):
            explainer.plan(signed(2, 4).float())
    with pytest.raises(relprop.RelpropError, match="mixes the samples of a batch"):
        explainer.with_recipe("zero").plan(signed(3, 4, seed=1).float())


@pytest.mark.parametrize("classes", range(2, 7))
@pytest.mark.parametrize("transposed", [False, True])
def test_masked_classes_do_not_look_like_samples(classes, transposed):
    """With as many classes as samples of the probe batch, or several times as many."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, classes)

        def forward(self, x):
            scores = self.layer(x).T if transposed else self.layer(x)
            mask = (torch.arange(classes) // (classes // 3 or 1)) == 1
            masked = scores.masked_fill(mask[:, None] if transposed else mask, -1e9)
            return masked.T if transposed else masked

    model, x = randomise(Masked()), signed(3, 4).float()
    e = relprop.explain(model, x, "zero", target=0)
    torch.testing.assert_close(e.relevance, x * model.layer.weight[0].detach())
    assert relprop.Explainer(model, "zero")(x, target=0, ledger=True).ledger.error < 1e-6
