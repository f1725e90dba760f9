"""Presets: what they say of layers, and the usual rule of each kind."""

import pytest
import torch
from helpers.networks import signed
from torch import nn

import relprop
from relprop import Recipe
from relprop.graph.ops import KINDS
from relprop.recipes.presets import usual_rule
from relprop.rules.registry import RULES


@pytest.mark.parametrize("name", ["attnlrp", "cp-lrp"])
def test_the_layers_of_a_transformer_have_the_epsilon_that_is_given(name):
    net, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).double(), signed(3, 4)
    for given, same in (({}, "zero"), ({"epsilon": 0.1}, Recipe.preset("epsilon", epsilon=0.1))):
        got = relprop.explain(net.eval(), x, Recipe.preset(name, **given)).relevance
        assert torch.equal(got, relprop.explain(net, x, same).relevance)


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_rule_of_a_kind_can_be_given_to_it(kind):
    """Errors advise it."""
    assert kind in RULES[usual_rule(kind)].kinds


@pytest.mark.parametrize(
    ("name", "todo"),
    [
        ("flat", 'write "epsilon-plus-flat"'),
        ("zbox", 'write "epsilon-gamma-box"'),
        ("z_plus", 'write "epsilon-plus"'),
        ("LRP-0", 'write "zero"'),
        ("LRP_Epsilon", 'write "epsilon"'),
        ("Epsilon", 'write "epsilon"'),
        ("AttnLRP", 'write "attnlrp"'),
        ("lrp", "choose one of these"),
        ("saliency", "choose one of these"),
    ],
)
def test_another_name_of_a_preset_proposes_it_or_none(name, todo):
    with pytest.raises(relprop.RelpropError, match="unknown preset") as error:
        relprop.Recipe.preset(name)
    assert error.value.todo == todo


@pytest.mark.parametrize("name", ["gradient", "w-squared", "w2"])
def test_a_rule_as_preset_is_told_to_be_one(name):
    with pytest.raises(relprop.RelpropError, match="unknown preset") as error:
        relprop.Recipe.preset(name)
    recipe = eval(error.value.todo.removeprefix("it is a rule: write "))
    assert recipe.rows[0].rule.name == {"w2": "w-squared"}.get(name, name)


def test_bounds_that_are_missing_are_written_in_one_line():
    recipe = relprop.Recipe.preset("zero")
    for given in ({}, {"low": 3}, {"high": -2.0}, {"low": torch.zeros(1)}):
        with pytest.raises(relprop.RelpropError, match="was not given") as error:
            recipe.using("0", "z-box", **given)
        line = error.value.todo.removeprefix("write ")
        assert recipe.using("0", "z-box", **given, **eval(f"dict({line})")).rows
    with pytest.raises(relprop.RelpropError, match="was not given 'high'"):
        recipe.using("0", "z-box", low=10**400)


@pytest.mark.parametrize(
    ("name", "todo"),
    [("lrp-0", '"zero"'), ("Z+", '"z-plus"'), ("zbox", '"z-box"'), ("lrp", "choose one")],
)
def test_another_name_of_a_rule(name, todo):
    with pytest.raises(relprop.RelpropError, match="unknown rule") as error:
        relprop.Recipe.preset("zero").using("0", name)
    assert todo in error.value.todo
