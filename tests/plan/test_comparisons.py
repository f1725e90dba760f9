"""Comparisons as numbers: the graph computes the same, and conditions stay booleans."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe, Selector

COMPARED = {
    "gt": lambda h: (h > 0.1).to(h.dtype),
    "ge": lambda h: (h >= h.flip(1)).to(h.dtype),
    "lt": lambda h: torch.cat([(h < 0.1) * 1.0, h], 1)[:, :6],
    "le": lambda h: (torch.zeros(6).to(h) <= h) * h,
}


class Gated(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.head, self.function = nn.Linear(4, 6), nn.Linear(6, 3), function

    def forward(self, x):
        h = self.layer(x)
        return self.head(torch.where(h > 0, h, 0.0) + self.function(h))


@pytest.mark.parametrize("name", COMPARED)
def test_a_comparison_that_gets_a_rule_is_one_step_of_the_plan(name):
    model, x = randomise(Gated(COMPARED[name]).double()), signed(3, 4)
    recipe = Recipe.preset("zero").using(Selector(operation=name), "straight-through")
    explainer = relprop.Explainer(model, recipe)
    steps = [s for s in explainer.plan(x).steps if s.rule and s.rule.name == "straight-through"]
    assert {step.node.operation for step in steps} == {name}
    e = explainer(x, target=0, ledger=True)
    torch.testing.assert_close(e.output, model(x).detach())
    assert e.ledger.error < 1e-9


def test_a_condition_stays_a_condition():
    """The gate of where(h > 0, h, 0) is no number: the rule changes nothing there."""
    model, x = randomise(Gated(lambda h: h).double()), signed(3, 4)
    recipe = Recipe.preset("zero").using(Selector(operation="gt"), "straight-through")
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(relprop.explain(model, x, recipe, target=0).relevance, x * gradient)


@pytest.mark.parametrize("rule", ["gradient", "epsilon", "fast-sigmoid"])
def test_a_rule_that_does_not_fit_is_refused(rule):
    """The gradient of a comparison is none; an equality has no threshold to smooth."""
    operation = "gt" if rule != "fast-sigmoid" else "eq"
    model = randomise(Gated(lambda h: ((h > 1) | (h == 2)).to(h.dtype)))
    recipe = Recipe.preset("zero").using(Selector(operation=operation), rule)
    with pytest.raises(relprop.RelpropError, match=f'takes the rule "{rule}"'):
        relprop.explain(model, signed(2, 4).float(), recipe)


def test_a_loaded_explainer_and_a_recipe_of_text_do_the_same(tmp_path):
    model, x = randomise(Gated(COMPARED["gt"]).double()), signed(3, 4)
    recipe = Recipe.preset("zero").using(Selector(operation="gt"), "arctan", slope=3.0)
    explainer = relprop.Explainer(model, Recipe.from_toml(recipe.to_toml()))
    expected = explainer(x, target=0).relevance
    explainer.save(tmp_path / "model.plans")
    loaded = relprop.Explainer.load(tmp_path / "model.plans", model)
    torch.testing.assert_close(loaded(x, target=0).relevance, expected)
    several = explainer(x, target=[0, 1], batch_size=2)
    torch.testing.assert_close(several.relevance[:, 0], expected)
