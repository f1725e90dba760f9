"""Presets on whole networks against the reference implementation, in float64."""

from collections.abc import Callable

import pytest
import torch
from helpers import reference_rules as reference
from helpers.close_maps import assert_same, explain
from helpers.networks import Concat, Residual, pixels, randomise, signed, small_cnn
from torch import nn

import relprop


def test_a_box_may_be_given_for_each_channel():
    net, x = randomise(small_cnn().double()), signed(2, 2, 12, 12)
    low, high = torch.tensor([[[-3.0]], [[-4.0]]]), torch.tensor([[[3.5]], [[0.0]]])
    recipe = relprop.Recipe.preset("epsilon-gamma-box", low=low, high=high)
    box = {"low": low.expand(2, 12, 12).reshape(-1), "high": high.expand(2, 12, 12).reshape(-1)}
    preset = defined("epsilon-gamma-box", net)
    want = reference.explain(
        net, x, lambda at, layer: ("z-box", box) if at == "0" else preset(at, layer)
    )
    assert_same(explain(net, x, recipe), want)


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "cnn": (small_cnn, (2, 12, 12)),
    "cnn, GELU": (lambda: small_cnn(activation=nn.GELU), (2, 12, 12)),
    "cnn, BatchNorm": (
        lambda: nn.Sequential(
            *(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)),
            *(nn.Conv2d(4, 4, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)),
        ),
        (2, 8, 8),
    ),
    "residual": (
        lambda: nn.Sequential(
            *(nn.Conv2d(2, 3, 3), nn.ReLU()),
            Residual(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()),
            nn.ReLU(),
            Residual(nn.Conv2d(3, 3, 1), nn.Tanh(), nn.Conv2d(3, 3, 1)),
            *(nn.AvgPool2d(3, 2, padding=1), nn.Flatten(), nn.Linear(12, 4)),
        ),
        (2, 6, 6),
    ),
    "branches": (
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 3, 3), nn.ReLU()),
            Concat(
                nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU()),
                nn.MaxPool2d(3, 1, padding=1),
                nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
            ),
            *(nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(72, 4)),
        ),
        (1, 7, 7),
    ),
    "one dimension": (
        lambda: nn.Sequential(
            *(nn.Conv1d(2, 3, 3), nn.ELU(), nn.MaxPool1d(2), nn.Conv1d(3, 3, 2), nn.Tanh()),
            *(nn.AvgPool1d(2), nn.Flatten(), nn.Linear(6, 4)),
        ),
        (2, 12),
    ),
    "three dimensions": (
        lambda: nn.Sequential(
            *(nn.Conv3d(1, 2, 2), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(2, 2, 1), nn.SiLU()),
            *(nn.AvgPool3d((1, 2, 2)), nn.Flatten(), nn.Linear(4, 4)),
        ),
        (1, 5, 5, 5),
    ),
}


BOX = {"low": -4.0, "high": 4.0}


EPSILON, BETA = ("epsilon", {}), ("alpha-beta", {"alpha": 2.0, "beta": 1.0})


# preset: its parameters, the rule of convolutions, of linear layers, and of a first layer that is
# a convolution. None: the same as the others.
PRESETS = {
    "zero": ({}, ("zero", {}), ("zero", {}), None),
    "epsilon": ({"epsilon": 0.1}, *(2 * [("epsilon", {"epsilon": 0.1})]), None),
    "gamma": ({}, *(2 * [("gamma", {"gamma": 0.25})]), None),
    "alpha-beta": ({}, BETA, BETA, None),
    "epsilon-plus": ({}, ("z-plus", {}), EPSILON, None),
    "epsilon-plus-flat": ({}, ("z-plus", {}), EPSILON, ("flat", {})),
    "epsilon-gamma-box": (BOX, ("gamma", {"gamma": 0.25}), EPSILON, ("z-box", BOX)),
    "epsilon-alpha2-beta1": ({}, BETA, EPSILON, None),
    "epsilon-alpha2-beta1-flat": ({}, BETA, EPSILON, ("flat", {})),
}


def defined(preset: str, net: nn.Module) -> reference.RuleOf:
    """Return the rule that a preset has for each layer of net."""
    _, convolution, linear, first = PRESETS[preset]
    names = [at for at, layer in net.named_modules() if isinstance(layer, reference.WEIGHTED)]

    def rule_of(at: str, layer: nn.Module) -> tuple[str, dict]:
        if first and at == names[0]:
            return first
        return linear if isinstance(layer, nn.Linear) else convolution

    return rule_of


SOME_PRESETS = ("zero", "epsilon-plus-flat", "epsilon-gamma-box")


PAIRS = [("cnn", preset) for preset in PRESETS]


PAIRS += [(name, preset) for name in NETS if name != "cnn" for preset in SOME_PRESETS]


@pytest.mark.parametrize(("name", "preset"), PAIRS)
def test_preset_on_a_network(name, preset):
    build, shape = NETS[name]
    net, x = randomise(build().double()), signed(2, *shape)
    got = explain(net, x, relprop.Recipe.preset(preset, **PRESETS[preset][0]))
    pool = "zero" if preset == "zero" else "epsilon"
    assert_same(got, reference.explain(net, x, defined(preset, net), pool=pool))


def test_relative_epsilon_uses_each_layers_own_size():
    net, x = randomise(small_cnn().double()), signed(3, 2, 12, 12)
    x[1] *= 100  # and each sample's own
    recipe = relprop.Recipe.preset("epsilon", epsilon=0.1, relative=True)
    rule = reference.uniform("epsilon", epsilon=0.1, relative=True)
    want = reference.explain(net, x, rule, pool="epsilon")
    for got, sample in zip(explain(net, x, recipe), want, strict=True):
        assert_same(got, sample)


@pytest.mark.parametrize("preset", ["epsilon-plus-flat", "epsilon-gamma-box", "gamma"])
def test_each_sample_is_explained_by_itself(preset):
    net, x = randomise(small_cnn().double()), signed(5, 2, 12, 12)
    explainer = relprop.Explainer(net, relprop.Recipe.preset(preset, **PRESETS[preset][0]))
    alone = torch.cat([explainer(sample[None]).relevance for sample in x])
    assert_same(explainer(x).relevance, alone, 1e-12)


@pytest.mark.parametrize("name", ["cnn", "cnn, BatchNorm"])
def test_zero_is_gradient_times_input_on_relu_networks(name):
    build, shape = NETS[name]
    net, x = randomise(build().double()), pixels(3, *shape)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(leaf).amax(1).sum(), leaf)
    assert_same(explain(net, x, "zero"), gradient * x, 1e-12)


def test_a_shuffled_map_conserves_but_fails_its_definition():
    """A sum is not enough: it does not depend on which pixels get the relevance."""
    net, x = randomise(small_cnn().double()), signed(2, 2, 12, 12)
    for layer in net:
        if getattr(layer, "bias", None) is not None:
            layer.bias.data.zero_()
    score, relevance = net(x).detach().amax(1), explain(net, x, "zero")
    want = reference.explain(net, x, reference.uniform("zero"), pool="zero")
    shuffled = relevance.flip(2, 3)
    assert_same(shuffled.sum((1, 2, 3)), score, 1e-12)
    assert_same(relevance, want)
    with pytest.raises(AssertionError):
        assert_same(shuffled, want)
