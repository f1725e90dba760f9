"""Linear maps against torch's functions and their derivatives."""

import pytest
import torch
from helpers.networks import signed
from torch import Tensor
from torch.nn import functional as F

from relprop.rules.linear_maps import (
    AveragePool,
    Convolution,
    Dense,
    LinearMap,
    stabilised_sum,
    transposed,
    weighted_sum,
)
from relprop.rules.weights import STABILISER, Scale, Weights


def convolution(**options: object) -> Convolution:
    usual = {"stride": (1, 1), "before": (0, 0), "after": (0, 0), "dilation": (1, 1)}
    usual |= {"transposed": False, "output_padding": (0, 0), "groups": 1}
    return Convolution(**usual | options)


# Geometry, torch's function of x, weight and bias, and the shapes of weight, bias and x.
MAPS: dict[str, tuple[LinearMap, object, tuple[int, ...], int, tuple[int, ...]]] = {
    "dense": (Dense(), F.linear, (3, 4), 3, (2, 5, 4)),
    "convolution": (
        convolution(stride=(2, 1), before=(1, 1), after=(1, 1)),
        lambda x, w, b: F.conv2d(x, w, b, (2, 1), 1),
        *((4, 3, 2, 3), 4, (2, 3, 5, 6)),
    ),
    "grouped, dilated": (
        convolution(dilation=(2, 2), groups=2),
        lambda x, w, b: F.conv2d(x, w, b, dilation=2, groups=2),
        *((6, 2, 2, 2), 6, (2, 4, 5, 5)),
    ),
    "more zeros after than before": (
        convolution(after=(1, 1)),
        lambda x, w, b: F.conv2d(F.pad(x, (0, 1, 0, 1)), w, b),
        *((4, 3, 2, 2), 4, (2, 3, 4, 5)),
    ),
    "transposed, grouped": (
        convolution(transposed=True, stride=(2, 2), groups=2, output_padding=(1, 0)),
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, output_padding=(1, 0), groups=2),
        *((4, 3, 3, 2), 6, (2, 4, 3, 4)),
    ),
}
EACH_MAP = pytest.mark.parametrize("name", MAPS)


def drawn(name: str) -> tuple[LinearMap, Tensor, Tensor, Tensor, Tensor]:
    """Return the map, x, its weight and bias, and a cotangent of z."""
    linear_map, function, weight_shape, outputs, x_shape = MAPS[name]
    x, weight, bias = signed(*x_shape), signed(*weight_shape, seed=2), signed(outputs, seed=3)
    return linear_map, x, weight, bias, signed(*function(x, weight, bias).shape, seed=4)


def vjp(linear_map: LinearMap, x: Tensor, weight: Tensor, s: Tensor) -> Tensor:
    return torch.func.vjp(lambda x: linear_map.forward(x, weight, None), x)[1](s)[0]


@EACH_MAP
def test_forward_is_torchs_function(name):
    linear_map, x, weight, bias, _ = drawn(name)
    want = MAPS[name][1](x, weight, bias)
    torch.testing.assert_close(linear_map.forward(x, weight, bias), want)


@EACH_MAP
def test_transpose_is_its_derivative(name):
    linear_map, x, weight, _, s = drawn(name)
    got = linear_map.transpose(s, weight, x.shape)
    torch.testing.assert_close(got, vjp(linear_map, x, weight, s))


@EACH_MAP
def test_spread_is_transpose_with_weights_of_one(name):
    linear_map, x, weight, _, s = drawn(name)
    got = linear_map.spread(s, weight, x.shape)
    torch.testing.assert_close(got, vjp(linear_map, x, torch.ones_like(weight), s))


@EACH_MAP
def test_two_weights_are_transposed_in_one_pass(name):
    linear_map, x, weight, _, s = drawn(name)
    first, second = weight.clamp(min=0), weight.square()
    both = linear_map.concatenate(first, second)
    got = linear_map.transpose_both(s, both, x.shape)
    torch.testing.assert_close(got[0], linear_map.transpose(s, first, x.shape))
    torch.testing.assert_close(got[1], linear_map.transpose(s, second, x.shape))


@EACH_MAP
def test_count_is_the_number_of_inputs_of_each_output(name):
    linear_map, x, weight, *_ = drawn(name)
    got = linear_map.count(weight, x.shape)
    want = linear_map.forward(torch.ones_like(x[:1]), torch.ones_like(weight), None)
    torch.testing.assert_close(got.expand_as(want), want)


@EACH_MAP
def test_a_scale_of_outputs_is_one_of_the_weight(name):
    linear_map, x, weight, bias, s = drawn(name)
    values = signed(*bias.shape, seed=5)
    scale = Scale(linear_map.along_outputs(values), linear_map.along_weight(values, weight))
    weights = Weights(weight, bias, scale)
    folded = linear_map.forward(x, weight * scale.of_weight, bias)
    torch.testing.assert_close(weighted_sum(linear_map, x, weights), folded)
    torch.testing.assert_close(stabilised_sum(linear_map, x, weights), folded + STABILISER)
    want = linear_map.transpose(s, weight * scale.of_weight, x.shape)
    torch.testing.assert_close(transposed(linear_map, s, weights, x.shape, overwrite=False), want)
    with torch.no_grad():
        got = transposed(linear_map, s.clone(), weights, x.shape, overwrite=True)
    torch.testing.assert_close(got, want)


def test_an_average_pool():
    """A scalar weight stands for all of its weights."""
    linear_map, one = AveragePool(lambda x: F.avg_pool2d(x, 2)), torch.ones(()).double()
    x, s = signed(2, 3, 4, 6), signed(2, 3, 2, 3, seed=2)
    torch.testing.assert_close(linear_map.forward(x, one, None), F.avg_pool2d(x, 2))
    back = F.interpolate(s, scale_factor=2) / 4
    for got in (
        linear_map.transpose(s, one, x.shape),
        linear_map.spread(s, one, x.shape),
        linear_map.transpose_both(s, linear_map.concatenate(one, 3 * one), x.shape)[1] / 3,
    ):
        torch.testing.assert_close(got, back)
    assert linear_map.count(one, x.shape).unique().tolist() == [1]
