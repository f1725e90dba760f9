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
