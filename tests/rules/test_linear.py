"""Rules, presets, seeds and targets against their definitions, in float64.

The other side of every comparison is reference.py: dense matrices, one sample at a time.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from helpers import reference_rules as reference
from helpers.networks import Concat, Residual, pixels, randomise, signed, small_cnn
from torch import Tensor, nn

import relprop
from relprop.support.numerics import stabilise

CLOSE = 1e-10  # of the norm: float64 rounding through a few layers, divisions by z near 0 included


def explain(net: nn.Module, x: Tensor, recipe: relprop.Recipe | str, **how: object) -> Tensor:
    return relprop.Explainer(net, recipe)(x, **how).relevance


def assert_same(got: Tensor, want: Tensor, close: float = CLOSE) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    assert torch.isfinite(got).all()
    assert ((got - want).norm() / want.norm().clamp(min=1e-300)).item() <= close


# ---- one layer, every rule -----------------------------------------------------------------------

RULES = [
    ("zero", {}),
    ("epsilon", {"epsilon": 0.1}),
    ("epsilon", {"epsilon": 0.25, "relative": True}),
    ("gamma", {"gamma": 0.3}),
    ("alpha-beta", {}),
    ("alpha-beta", {"alpha": 1.5, "beta": 0.5}),
    ("z-plus", {}),
    ("flat", {}),
    ("w-squared", {}),
    ("z-box", {"low": -1.5, "high": 2.0}),
]
RULE_NAMES = [" ".join([rule, *map(str, parameters.values())]) for rule, parameters in RULES]

# What a layer is, and the shape of one sample that it takes.
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 5), (6,)),
    "linear, no bias": (lambda: nn.Linear(6, 5, bias=False), (6,)),
    "linear on rows": (lambda: nn.Linear(4, 3), (2, 4)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3), (2, 7)),
    "conv1d, strided": (lambda: nn.Conv1d(2, 3, 3, stride=2, padding=2, dilation=2), (2, 9)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 4, 5)),
    "conv2d, no bias": (lambda: nn.Conv2d(2, 3, 2, stride=(2, 1), bias=False), (2, 5, 4)),
    "conv2d, grouped": (lambda: nn.Conv2d(4, 6, (1, 3), groups=2, padding=(0, 2)), (4, 2, 4)),
    "conv2d, by channel": (lambda: nn.Conv2d(3, 6, 2, dilation=2, groups=3), (3, 4, 4)),
    "conv2d, same": (lambda: nn.Conv2d(2, 3, (2, 4), padding="same"), (2, 4, 5)),
    "conv3d": (lambda: nn.Conv3d(2, 2, 2, stride=(1, 2, 1), padding=(0, 1, 0)), (2, 3, 3, 2)),
    "deconv1d": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), (2, 4)),
    "deconv2d": (
        lambda: nn.ConvTranspose2d(
            4, 4, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2
        ),
        (4, 3, 2),
    ),
    "deconv3d": (lambda: nn.ConvTranspose3d(2, 1, 2, bias=False), (2, 2, 2, 2)),
}

# What comes before the layer, and the input: what is known there of the layer's own input.
PLACES: dict[str, tuple[list[nn.Module], Callable[..., Tensor]]] = {
    "first, signed": ([], signed),
    "first, not negative": ([], pixels),
    "after ReLU": ([nn.Conv2d(2, 2, 1), nn.ReLU()], signed),
    "after sigmoid": ([nn.Conv2d(2, 2, 1), nn.Sigmoid()], signed),
    "after tanh": ([nn.Conv2d(2, 2, 1), nn.Tanh()], signed),
    "after GELU": ([nn.Conv2d(2, 2, 1), nn.GELU()], signed),
    "after leaky ReLU": ([nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.2)], signed),
    "after a convolution": ([nn.Conv2d(2, 2, 1)], signed),
    "after ReLU and max pooling": ([nn.Conv2d(2, 2, 1), nn.ReLU(), nn.MaxPool2d(2, 1)], signed),
}


@dataclass(frozen=True)
class Case:
    """A network whose class k sees a layer of its own, with rule k at it, and an input.

    One network for all the rules: reading a network takes longer than explaining with it.

    paths  for each class the layers that it sees   tested  those of them that rule k is for
    """

    explainer: relprop.Explainer
    x: Tensor
    paths: list[nn.Sequential]
    tested: list[nn.Module]

    @classmethod
    def build(
        cls, x: Tensor, layers: Callable[[], list[nn.Module]], before: Sequence[nn.Module] = ()
    ) -> "Case":
        """Layers are what each class has of its own, the one that is tested first."""
        trunk = nn.Sequential(*copy.deepcopy(before))
        branches = [nn.Sequential(*layers(), nn.Flatten()) for _ in RULES]
        for branch in branches:
            branch.append(nn.Linear(branch.eval()(trunk(x[:1].float())).numel(), 1))
        net = nn.Sequential(OrderedDict(trunk=trunk, rule=Concat(*branches)))
        recipe = relprop.Recipe.preset("epsilon")
        for k, (rule, parameters) in enumerate(RULES):
            recipe = recipe.using(f"rule.branches.{k}.0", rule, **parameters)
        explainer = relprop.Explainer(randomise(net.double()), recipe)
        paths = [nn.Sequential(*trunk, *branch) for branch in branches]
        return cls(explainer, x, paths, [branch[0] for branch in branches])

    def check(self, k: int) -> None:
        """Rule k is its definition where class k sees it."""
        rules = {self.tested[k]: RULES[k]}
        want = reference.explain(
            self.paths[k],
            self.x,
            lambda _, layer: rules.get(layer, ("epsilon", {})),
            self.paths[k](self.x).detach(),
        )
        assert_same(self.explainer(self.x, target=k).relevance, want)


EACH_RULE = pytest.mark.parametrize("k", range(len(RULES)), ids=RULE_NAMES)


@cache
def of_kind(kind: str) -> Case:
    layer, shape = LAYERS[kind]
    return Case.build(signed(2, *shape), lambda: [layer()])


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@EACH_RULE
@pytest.mark.parametrize("kind", LAYERS)
def test_rule_on_every_kind_of_layer(kind, k):
    of_kind(kind).check(k)


@cache
def at_place(place: str) -> Case:
    before, values = PLACES[place]
    return Case.build(values(2, 2, 4, 4), lambda: [nn.Conv2d(2, 3, 2)], before)


@EACH_RULE
@pytest.mark.parametrize("place", PLACES)
def test_rule_at_every_place(place, k):
    """Inputs of either sign, or known not to be negative; inactive units below flat and others."""
    at_place(place).check(k)


@cache
def with_batchnorm() -> Case:
    layers = [nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU()]
    return Case.build(signed(2, 2, 4, 4), lambda: copy.deepcopy(layers))


@EACH_RULE
def test_a_layer_with_batchnorm_is_one_layer(k):
    with_batchnorm().check(k)


@cache
def blank_picture(activation: Callable[[], nn.Module]) -> Case:
    x = torch.stack([torch.zeros(1, 4, 4).double(), pixels(1, 4, 4)])
    return Case.build(x, lambda: [nn.Conv2d(1, 2, 2, bias=False), activation()])


def turned() -> nn.Module:
    """An activation whose result may have the other sign than what it is given."""
    return nn.LeakyReLU(-0.5)


@EACH_RULE
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Softplus, nn.Tanh, turned])
def test_sums_that_are_exactly_zero(activation, k):
    """Black without bias: z = 0 in the first layer, where the activation need not be 0."""
    blank_picture(activation).check(k)


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


# ---- signs and zeros -----------------------------------------------------------------------------


def cancelling() -> tuple[nn.Linear, Tensor]:
    """A layer and an input whose first output is exactly zero: 1 * 1 + 1 * (-1)."""
    layer = nn.Linear(2, 2, bias=False).double()
    layer.weight.data = torch.tensor([[1.0, -1.0], [2.0, 1.0]], dtype=torch.float64)
    return layer, torch.ones(1, 2, dtype=torch.float64)


@pytest.mark.parametrize("rule", ["flat", "w-squared"])
def test_the_sign_of_zero_is_positive(rule):
    """A rule that feeds units whatever their value gives relevance to a sum of exactly zero."""
    layer, x = cancelling()
    net = nn.Sequential(layer, nn.Linear(2, 2, bias=False).double())
    net[1].weight.data.fill_(1.0)  # half of the relevance to each unit, or a little less
    recipe = relprop.Recipe.preset("epsilon", epsilon=0.5).using("1", rule)
    got = explain(net, x, recipe, target=0, seed="one")
    to_each = 1 / (2 + 1e-6)
    first, second = torch.tensor([1.0, -1.0]) / 0.5, torch.tensor([2.0, 1.0]) / 3.5
    assert_same(got, to_each * (first + second).double()[None], 1e-7)


def test_gamma_passes_nothing_on_from_a_sum_of_zero():
    """Though a sigmoid makes it a half, which has relevance."""
    layer, x = cancelling()
    net = nn.Sequential(layer, nn.Sigmoid(), nn.Linear(2, 2, bias=False).double())
    net[2].weight.data.fill_(1.0)
    recipe = relprop.Recipe.preset("zero").using("0", "gamma", gamma=0.5)
    to_second = torch.sigmoid(torch.tensor(3.0, dtype=torch.float64))
    want = torch.tensor([[3.0, 1.5]], dtype=torch.float64) / (4.5 + 1e-6) * to_second
    assert_same(explain(net, x, recipe, target=0), want, 1e-12)


@pytest.mark.parametrize("activation", [nn.GELU(), nn.Tanh(), nn.ELU(), nn.Sigmoid()])
def test_zero_passes_nothing_on_from_a_sum_of_zero(activation):
    layer, x = cancelling()
    net = nn.Sequential(layer, activation, nn.Linear(2, 2, bias=False).double())
    net[2].weight.data.fill_(1.0)
    want = torch.tensor([[2.0, 1.0]], dtype=torch.float64) / 3
    want = want * activation(torch.tensor(3.0, dtype=torch.float64))
    assert_same(explain(net, x, "zero", target=0), want, 1e-12)


def test_and_so_is_that_of_minus_zero():
    z = torch.tensor([0.0, -0.0, 2.0, -2.0])
    assert stabilise(z, 0.5).tolist() == [0.5, 0.5, 2.5, -2.5]


def test_a_negative_sum_is_stabilised_downwards():
    layer, x = cancelling()
    recipe = relprop.Recipe.preset("epsilon", epsilon=0.5)
    got = explain(nn.Sequential(layer), -x, recipe, target=1, seed="one")
    assert_same(got, torch.tensor([[2.0, 1.0]], dtype=torch.float64) / 3.5, 1e-15)


# ---- whole networks ------------------------------------------------------------------------------

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
    """The rule that a preset means for each layer of net."""
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
    """Why the sum is not enough: it is the same whatever pixel the relevance lands on."""
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
