"""Selectors: which operations of a model a row of a recipe is for."""

import pytest
import torch
from helpers.nested_cnn import PIXELS, nested_cnn
from helpers.networks import randomise
from torch import nn

import relprop
from relprop import Recipe


@pytest.fixture(scope="module")
def explainer() -> relprop.Explainer:
    return relprop.Explainer(randomise(nested_cnn()).double(), "zero")


def test_selectors_by_type_kind_and_depth(explainer):
    for selector, modules in [
        (relprop.Selector(type="Conv2d"), ["0.0", "2.0"]),
        (relprop.Selector(depth="first"), ["0.0"]),
        (relprop.Selector(depth="last"), ["4"]),
        (relprop.Selector(depth="< 0.3"), ["0.0"]),
        (relprop.Selector(depth=">=0.5"), ["2.0", "4"]),
        (relprop.Selector(name="2*", kinds=("convolution",), depth="> 0.2"), ["2.0"]),
        (relprop.Selector(kinds=("linear",)), ["4"]),
        (relprop.Selector(operation="conv2d"), ["0.0", "2.0"]),
        (relprop.Selector(operation="lin*"), ["4"]),
        (relprop.Selector(name="2*", operation="conv*", depth="> 0.2"), ["2.0"]),
    ]:
        recipe = Recipe.preset("zero").using(selector, "gamma")
        steps = explainer.with_recipe(recipe).plan(PIXELS).steps
        got = [step.node.module for step in steps if step.rule and step.rule.name == "gamma"]
        assert got == modules, selector


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"depth": "firsts"}, "'firsts'"),
        ({"depth": 0.3}, "0.3"),
        ({"kinds": ("dense",)}, "'dense'"),
        ({"type": nn.Conv2d}, "type=<class"),
        ({"operation": torch.detach}, "operation=<"),
        ({"kinds": "linear"}, "kinds='linear'"),
    ],
)
def test_selectors_that_make_no_sense(arguments, given):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Selector(**arguments)
    assert given in error.value.given


def test_a_selector_that_fits_nothing(explainer):
    recipe = Recipe.preset("zero").using(relprop.Selector(type="Conv3d"), "gamma")
    with pytest.raises(relprop.RelpropError, match="Conv3d matches no module that takes"):
        explainer.with_recipe(recipe).plan(PIXELS)
    recipe = Recipe.preset("zero").using(relprop.Selector(operation="conv3d"), "gamma")
    with pytest.raises(relprop.RelpropError, match=r'\(conv3d\) matches(.|\n)*write "conv2d"'):
        explainer.with_recipe(recipe).plan(PIXELS)


@pytest.mark.parametrize(
    ("selector", "line"),
    [
        (nn.Linear, 'recipe.using(relprop.Selector(type="Linear"), "gamma", gamma=0.5)'),
        (nn.Linear(2, 2), 'recipe.using(relprop.Selector(type="Linear"), "gamma", gamma=0.5)'),
        (["0", "2"], 'recipe.using("0", "gamma", gamma=0.5).using("2", "gamma", gamma=0.5)'),
        (0, 'recipe.using("0", "gamma", gamma=0.5)'),
        ([], 'recipe.using("*", "gamma", gamma=0.5)'),
    ],
)
def test_what_is_no_name_is_refused_with_the_line(selector, line):
    recipe = relprop.Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError, match="a selector of type") as error:
        recipe.using(selector, "gamma", gamma=0.5)
    assert error.value.todo.startswith(f"write {line}")
    assert eval(line).rows[0].rule.parameters == {"gamma": 0.5}


@pytest.mark.parametrize(
    ("conditions", "todo"),
    [
        ({"type": nn.Linear}, 'type="Linear"'),
        ({"name": nn.Linear}, 'type="Linear"'),
        ({"name": nn.Linear(2, 2)}, 'type="Linear"'),
        ({"kinds": nn.Linear}, 'kinds=("convolution",)'),
        ({"kinds": 3}, 'kinds=("convolution",)'),
    ],
)
def test_a_condition_of_another_type(conditions, todo):
    with pytest.raises(relprop.RelpropError, match="a selector with") as error:
        relprop.Selector(**conditions)
    assert eval(f"relprop.Selector({todo})")
    assert todo in error.value.todo


@pytest.mark.parametrize("name", ["Linear", "linear"])
def test_a_class_or_a_kind_as_a_name_is_refused_with_its_selector(name):
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval(), torch.ones(2, 4)
    recipe = relprop.Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError, match="matches no module") as error:
        relprop.explain(model, x, recipe.using(name, "gamma"))
    selector = eval(error.value.todo.removeprefix("write "))
    plan = relprop.Explainer(model, recipe.using(selector, "gamma")).plan(x)
    assert [step.rule.name for step in plan.steps if step.rule] == ["gamma", "gamma"]
