"""check_rule passes every rule of relprop, and catches each defect that it looks for."""

import runpy
from pathlib import Path

import pytest
from helpers.networks import signed
from torch import nn

import relprop
from relprop import Back, Recipe
from relprop.rules.registry import RULES

EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "own_rule.py"))
PARAMETERS = {"z-box": {"low": -4.0, "high": 4.0}}


@pytest.mark.parametrize("rule", [*RULES, EXAMPLE["winner"]], ids=[*RULES, "own"])
def test_every_rule_passes(rule):
    relprop.check_rule(rule, **PARAMETERS.get(rule, {}))


def silent(layer) -> Back:
    """Does not report what the bias absorbs."""
    return Back(lambda v: layer.transpose(v, layer.weights), lambda v: {})


def curved(layer) -> Back:
    """Is not proportional to the relevance it receives."""
    return Back(lambda v: layer.transpose(v.abs(), layer.weights), lambda v: {})


def mixing(layer) -> Back:
    """Averages relevance over the samples of a batch."""

    def pull(v):
        return layer.transpose(v.mean(0, keepdim=True), layer.weights) + 0 * layer.x

    return Back(pull, lambda v: {})


def writing(layer) -> Back:
    """Changes the model's weights."""
    layer.weights.raw.mul_(1.01)
    return Back(lambda v: layer.transpose(v, layer.weights), lambda v: {})


def detached(layer) -> Back:
    """The epsilon rule, but it cannot be differentiated."""
    sign = layer.z.sign()

    def share(v):
        return (layer.relevance(v) / (layer.z + sign)).detach()

    def absorbed(v):
        return {"bias": share(v) * layer.bias(layer.weights), "stabiliser": share(v) * sign}

    return Back(lambda v: layer.transpose(share(v), layer.weights), absorbed)


def formless(layer) -> Back:
    """Takes all that it receives for relevance per unit of activation."""
    bias = layer.bias(layer.weights)
    return Back(lambda c: layer.transpose(c, layer.weights), lambda c: {"bias": c * bias})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (silent, "report all it absorbs"),
        (curved, "proportional|report all it absorbs"),
        (mixing, "a sample alone"),
        (writing, "weights"),
        (detached, "differentiated"),
        (formless, "conserve"),
    ],
)
def test_a_rule_with_a_defect_fails_with_its_name(function, message):
    rule = relprop.rule(kinds=("linear",))(function)
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.check_rule(rule)


def no_result(layer) -> None:
    """Returns nothing."""


def narrow(layer) -> Back:
    """Returns relevance for a part of the input."""
    return Back(lambda v: layer.transpose(v, layer.weights)[..., 1:], lambda v: {})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_result, r'"no-result" returned a NoneType(.|\n)*relprop\.Back\(pull'),
        (narrow, r'"narrow" pulled \[\(2, 3\)\] to inputs of the shapes \[\(2, 4\)\]'),
    ],
)
def test_a_rule_that_returns_something_else_is_named(function, message):
    rule = relprop.rule(kinds=("linear",))(function)
    model, recipe = nn.Linear(4, 3).double().eval(), Recipe.preset("zero").using("*", rule)
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model, signed(2, 4), recipe)
    with pytest.raises(relprop.RelpropError, match=f'"{rule.name}"'):
        relprop.check_rule(rule)
