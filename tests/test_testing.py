"""check_rule passes every rule of relprop, and catches each defect that it looks for."""

import runpy
from pathlib import Path

import pytest
import torch
from helpers.networks import randomise, signed
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
    """Tells nothing of what the bias takes."""
    return Back(lambda v: layer.transpose(v, layer.weights), lambda v: {})


def curved(layer) -> Back:
    """Not in proportion to what arrives."""
    return Back(lambda v: layer.transpose(v.abs(), layer.weights), lambda v: {})


def mixing(layer) -> Back:
    """Samples share what arrives."""
    return Back(
        lambda v: layer.transpose(v.mean(0, keepdim=True), layer.weights) + 0 * layer.x, None
    )


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
def test_a_rule_that_does_not_is_told_why(function, message):
    rule = relprop.rule(kinds=("linear",))(function)
    if function is mixing:
        rule = relprop.rule(kinds=("linear",))(lambda layer: Back(mixing(layer).pull, lambda v: {}))
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.check_rule(rule)


def no_result(layer) -> None:
    """Returns nothing."""


def narrow(layer) -> Back:
    """Pulls to less than the input."""
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


def test_the_example_on_paper():
    """Contributions 2, 4 and 1, 1: the first go to one input, the second are shared."""
    model = nn.Linear(2, 2, bias=False).double().eval()
    model.weight.data = torch.tensor([[2.0, 2.0], [1.0, 0.5]]).double()
    x = torch.tensor([[1.0, 2.0]]).double()
    recipe = Recipe.preset("zero").using("*", EXAMPLE["winner"])
    e = relprop.explain(model, x, recipe, target=lambda output: output.sum(1))
    torch.testing.assert_close(e.relevance, torch.tensor([[1.0, 6.0 + 1.0]]).double())


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"kinds": ("convolutions",)}, "convolutions"),
        ({"kinds": "linear"}, "linear"),
        ({"gives": "R"}, "'R'"),
    ],
)
def test_what_a_rule_cannot_be_for(arguments, given):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.rule(**arguments)
    assert given in error.value.given


def test_parameters_of_an_own_rule_are_checked():
    with pytest.raises(relprop.RelpropError, match=r"parameter 'amongst'(.|\n)*among"):
        Recipe.preset("zero").using("*", EXAMPLE["winner"], amongst=0.5)


def test_an_own_rule_fits_only_its_kinds():
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).eval()
    recipe = Recipe.preset("zero").using("0", EXAMPLE["winner"])
    with pytest.raises(relprop.RelpropError, match=r'"0" matches no module(.|\n)*allowed: "2"'):
        relprop.Explainer(model, recipe).plan(signed(2, 1, 6).float())


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Linear(4, 6), nn.BatchNorm1d(6), (4,)),
        (nn.Conv2d(4, 6, 2, groups=2), nn.BatchNorm2d(6), (4, 3, 3)),
        (nn.ConvTranspose2d(6, 6, 2, groups=3), nn.BatchNorm2d(6), (6, 2, 2)),
    ],
)
def test_a_rule_of_ones_own_reads_the_weight_of_a_layer_with_its_batchnorm(layer, norm, shape):
    @relprop.rule(gives="relevance")
    def by_hand(layer) -> Back:
        linear_map, weight, x = layer.map, layer.weights.raw, layer.x
        z = linear_map.forward(x, weight, layer.weights.bias)
        return Back(
            lambda v: x * linear_map.transpose(layer.relevance(v) / z, weight, x.shape),
            lambda v: {},
        )

    net, x = randomise(nn.Sequential(layer, norm, nn.Flatten()).double()), signed(2, *shape)
    plain = Recipe.preset("zero")
    got = relprop.explain(net, x, plain.using("0", by_hand), target="all").relevance
    want = relprop.explain(net, x, plain, target="all").relevance
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
