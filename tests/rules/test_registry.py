"""Custom rules: what they may be for, their parameters, and what they see of a layer."""

import runpy
from pathlib import Path

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Back, Recipe

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "own_rule.py"))


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


def test_parameters_of_a_custom_rule_are_checked():
    with pytest.raises(relprop.RelpropError, match=r"parameter 'amongst'(.|\n)*among"):
        Recipe.preset("zero").using("*", EXAMPLE["winner"], amongst=0.5)


def test_a_custom_rule_fits_only_its_kinds():
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
def test_a_custom_rule_sees_the_weight_of_a_layer_folded_with_its_batchnorm(layer, norm, shape):
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
