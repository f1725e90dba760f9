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
