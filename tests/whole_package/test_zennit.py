"""Rules and presets give the relevance of Zennit, on networks that Zennit supports."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from helpers import zennit_maps
from helpers.networks import dense, mnist_cnn, pixels, randomise, signed, small_cnn, vgg16
from torch import Tensor, nn
from zennit import rules
from zennit.core import Composite, Hook

import relprop

CLOSE = {torch.float32: 1e-5, torch.float64: 1e-10}  # relative L2 distance allowed
BOX = {"low": -3.0, "high": 3.0}


def batchnorm_cnn() -> nn.Module:
    """BatchNorm after convolutions and a linear layer.

    Without BatchNorm's eps, which Zennit before 1.0 counts twice when it merges.
    """
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=0.0), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, stride=2), nn.BatchNorm2d(8, eps=0.0), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(72, 16), nn.BatchNorm1d(16, eps=0.0), nn.ReLU(), nn.Linear(16, 10)),
    )


# Wider networks have a z that is about as small as an epsilon of 1e-6, so that in float32 two runs
# of the same program differ by more than is allowed here.
NETS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "vgg16, narrow": (lambda: vgg16(4, 64, 10), lambda: signed(2, 3, 64, 64)),
    "dense 500": (lambda: dense(784, 500, 10), lambda: pixels(3, 1, 28, 28)),
    "dense 300-100": (lambda: dense(784, 300, 100, 10), lambda: pixels(3, 1, 28, 28)),
    "mnist cnn": (mnist_cnn, lambda: pixels(3, 1, 28, 28)),
    "batchnorm": (batchnorm_cnn, lambda: signed(3, 3, 16, 16)),
    "average pooling": (small_cnn, lambda: signed(3, 2, 12, 12)),
    "average pooling, GELU": (lambda: small_cnn(activation=nn.GELU), lambda: pixels(3, 2, 12, 12)),
}

# Parameters of a rule at every weighted sum, and the same rule of Zennit.
RULES: dict[str, tuple[dict[str, float], Callable[[], Hook]]] = {
    "epsilon": ({}, rules.Epsilon),
    "gamma": ({}, rules.Gamma),
    "alpha-beta": ({}, rules.AlphaBeta),
    "z-plus": ({}, rules.ZPlus),
    "flat": ({}, rules.Flat),
    "w-squared": ({}, rules.WSquare),
    "z-box": (BOX, lambda: rules.ZBox(**BOX)),
}


def zero(dtype: torch.dtype) -> Composite:
    """Build Zennit's epsilon rule with the smallest epsilon, which keeps 0 / 0 from being NaN."""
    return zennit_maps.uniform(rules.Epsilon(torch.finfo(dtype).tiny), torch.finfo(dtype).tiny)


# Name and parameters of a preset, and the same composite of Zennit.
Preset = tuple[str, dict[str, object], Callable[[torch.dtype], Composite]]
UNIFORM: dict[str, Preset] = {
    "zero": ("zero", {}, zero),
    "epsilon": ("epsilon", {}, lambda _: zennit_maps.uniform(rules.Epsilon())),
    "epsilon 0.1 relative": (
        "epsilon",
        {"epsilon": 0.1, "relative": True},
        lambda _: zennit_maps.uniform(rules.Epsilon(zennit_maps.relative(0.1))),
    ),
    "gamma": ("gamma", {}, lambda _: zennit_maps.uniform(rules.Gamma())),
    "gamma 0.1": ("gamma", {"gamma": 0.1}, lambda _: zennit_maps.uniform(rules.Gamma(0.1))),
    "alpha-beta": ("alpha-beta", {}, lambda _: zennit_maps.uniform(rules.AlphaBeta())),
}


def composite(name: str, **parameters: float) -> Preset:
    """Describe a preset that has the same name and parameters in both."""
    return name, parameters, lambda _: zennit_maps.preset(name, **parameters)


COMPOSITES: dict[str, Preset] = {
    "epsilon-plus": composite("epsilon-plus"),
    "epsilon-plus-flat": composite("epsilon-plus-flat"),
    "epsilon-plus-flat 0.1": composite("epsilon-plus-flat", epsilon=0.1),
    "epsilon-gamma-box": composite("epsilon-gamma-box", **BOX),
    "epsilon-gamma-box 0.1": composite("epsilon-gamma-box", low=-3.0, high=3.0, gamma=0.1),
    "epsilon-alpha2-beta1": composite("epsilon-alpha2-beta1"),
    "epsilon-alpha2-beta1-flat": composite("epsilon-alpha2-beta1-flat"),
}
# Images in [0, 1]: black touches the box, so that sums are exactly zero and have to stay zero.
PIXELS = {"epsilon-gamma-box, pixels": composite("epsilon-gamma-box", low=0.0, high=1.0)}
PRESETS = UNIFORM | COMPOSITES | PIXELS

PAIRS = [
    (name, preset) for name in ("vgg16, narrow", "mnist cnn") for preset in UNIFORM | COMPOSITES
]
PAIRS += [("mnist cnn", preset) for preset in PIXELS]
PAIRS += [
    (name, preset)
    for name in NETS
    for preset in ("epsilon 0.1 relative", "epsilon-plus-flat", "epsilon-gamma-box")
    if (name, preset) not in PAIRS
]
DTYPES = pytest.mark.parametrize("dtype", CLOSE, ids=["float32", "float64"])


@cache
def drawn(name: str, dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
    """A network with random weights, and its input."""
    build, values = NETS[name]
    return randomise(build()).to(dtype), values().to(dtype)


def assert_same_as_zennit(
    net: nn.Module, x: Tensor, recipe: relprop.Recipe, composite: Composite
) -> None:
    """Compare both; relevance starts at the strongest class with its score."""
    with torch.no_grad():
        z = net(x)
    initial = torch.where(z == z.amax(1, keepdim=True), z, 0.0)
    want = zennit_maps.relevance(net, composite, x, initial)
    got = relprop.Explainer(net, recipe)(x).relevance
    assert got.dtype == want.dtype
    assert ((got - want).norm() / want.norm()).item() <= CLOSE[x.dtype]


@DTYPES
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["batchnorm", "average pooling, GELU"])
def test_rule_at_every_weighted_sum(name, rule, dtype):
    parameters, hook = RULES[rule]
    net, x = drawn(name, dtype)
    recipe = relprop.Recipe.preset("epsilon")
    for at, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            recipe = recipe.using(at, rule, **parameters)
    assert_same_as_zennit(net, x, recipe, zennit_maps.uniform(hook()))


@DTYPES
@pytest.mark.parametrize(("name", "preset"), PAIRS)
def test_preset(name, preset, dtype):
    ours, parameters, theirs = PRESETS[preset]
    recipe = relprop.Recipe.preset(ours, **parameters)
    assert_same_as_zennit(*drawn(name, dtype), recipe, theirs(dtype))


@DTYPES
def test_box_where_sums_are_zero(dtype):
    """A filter without negative weights on black: terms that must cancel are divided by 1e-6."""
    net, x = randomise(mnist_cnn(), seed=3).to(dtype), pixels(2, 1, 28, 28).to(dtype)
    net[0].weight.data[0].abs_()
    x[..., :12] = 0
    ours, parameters, theirs = PIXELS["epsilon-gamma-box, pixels"]
    assert_same_as_zennit(net, x, relprop.Recipe.preset(ours, **parameters), theirs(dtype))


@pytest.mark.parametrize("preset", ["epsilon 0.1 relative", "epsilon-plus-flat", "gamma"])
@pytest.mark.parametrize("name", ["mnist-dnn-500", "mnist-dnn-300-100", "mnist-cnn"])
def test_preset_on_a_shipped_model(name, preset):
    ours, parameters, theirs = PRESETS[preset]
    recipe = relprop.Recipe.preset(ours, **parameters)
    net, x = relprop.load_model(name), pixels(3, 1, 28, 28).float()
    assert_same_as_zennit(net, x, recipe, theirs(torch.float32))


@pytest.mark.slow
def test_preset_on_the_full_width_of_vgg16():
    """In float64: sums near zero magnify the rounding, which differs between processors."""
    net, x = randomise(vgg16(size=96)).double(), signed(1, 3, 96, 96)
    recipe = relprop.Recipe.preset("epsilon-plus-flat")
    assert_same_as_zennit(net, x, recipe, zennit_maps.preset("epsilon-plus-flat"))
