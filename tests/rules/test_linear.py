"""Rules of linear layers against the reference implementation, in float64."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from helpers import reference_rules as reference
from helpers.close_maps import assert_same, explain, passing_through
from helpers.networks import Concat, pixels, randomise, signed
from torch import Tensor, nn

import relprop

# ---- one layer, every rule -----------------------------------------------------------------------

RULES = [
    ("zero", {}),
    ("epsilon", {"epsilon": 0.1}),
    ("epsilon", {"epsilon": 0.25, "relative": True}),
    ("gamma", {"gamma": 0.3}),
    ("gamma-by-sign", {"positive": 0.3, "negative": 1.5}),
    ("alpha-beta", {}),
    ("alpha-beta", {"alpha": 1.5, "beta": 0.5}),
    ("z-plus", {}),
    ("flat", {}),
    ("w-squared", {}),
    ("z-box", {"low": -1.5, "high": 2.0}),
]
RULE_NAMES = [" ".join([rule, *map(str, parameters.values())]) for rule, parameters in RULES]

# A layer, and the shape of one input sample.
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

# Layers before the tested one, and the input: they decide what is known of its input's sign.
POSITIONS: dict[str, tuple[list[nn.Module], Callable[..., Tensor]]] = {
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
    """A network whose class k has a layer of its own with rule k, and an input.

    One network for all rules: capturing a network takes longer than explaining with it.

    paths  for each class the layers that it depends on   tested  the one that has rule k
    """

    explainer: relprop.Explainer
    x: Tensor
    paths: list[nn.Sequential]
    tested: list[nn.Module]

    @classmethod
    def build(
        cls, x: Tensor, layers: Callable[[], list[nn.Module]], before: Sequence[nn.Module] = ()
    ) -> "Case":
        """Build it; `layers` returns what each class has of its own, the tested layer first."""
        trunk = nn.Sequential(*copy.deepcopy(before))
        branches = [nn.Sequential(*layers(), nn.Flatten()) for _ in RULES]
        for branch in branches:
            branch.append(nn.Linear(branch.eval()(trunk(x[:1].float())).numel(), 1))
        net = nn.Sequential(OrderedDict(trunk=trunk, rule=Concat(*branches)))
        recipe = relprop.Recipe.preset("epsilon")
        for k, (rule, parameters) in enumerate(RULES):
            recipe = recipe.using(f"rule.branches.{k}.0", rule, **parameters)
        recipe = passing_through(recipe, net)
        explainer = relprop.Explainer(randomise(net.double()), recipe)
        paths = [nn.Sequential(*trunk, *branch) for branch in branches]
        return cls(explainer, x, paths, [branch[0] for branch in branches])

    def check(self, k: int) -> None:
        """Compare rule k with its reference."""
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
def at_position(position: str) -> Case:
    before, values = POSITIONS[position]
    return Case.build(values(2, 2, 4, 4), lambda: [nn.Conv2d(2, 3, 2)], before)


@EACH_RULE
@pytest.mark.parametrize("position", POSITIONS)
def test_rule_at_every_position(position, k):
    """Inputs of either sign, or known to be >= 0; inactive units below flat and others."""
    at_position(position).check(k)


@cache
def with_batchnorm() -> Case:
    layers = [nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU()]
    return Case.build(signed(2, 2, 4, 4), lambda: copy.deepcopy(layers))


@EACH_RULE
def test_a_layer_with_batchnorm_is_one_layer(k):
    with_batchnorm().check(k)


@cache
def blank_image(activation: Callable[[], nn.Module]) -> Case:
    x = torch.stack([torch.zeros(1, 4, 4).double(), pixels(1, 4, 4)])
    return Case.build(x, lambda: [nn.Conv2d(1, 2, 2, bias=False), activation()])


def sign_changing() -> nn.Module:
    """An activation whose output may differ in sign from its input."""
    return nn.LeakyReLU(-0.5)


@EACH_RULE
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid, nn.Softplus, nn.Tanh, sign_changing])
def test_sums_that_are_exactly_zero(activation, k):
    """Black without bias: z = 0 in the first layer, where the activation need not be 0."""
    blank_image(activation).check(k)


# ---- signs and zeros -----------------------------------------------------------------------------


def cancelling() -> tuple[nn.Linear, Tensor]:
    """A layer and an input whose first output is exactly zero: 1 * 1 + 1 * (-1)."""
    layer = nn.Linear(2, 2, bias=False).double()
    layer.weight.data = torch.tensor([[1.0, -1.0], [2.0, 1.0]], dtype=torch.float64)
    return layer, torch.ones(1, 2, dtype=torch.float64)


@pytest.mark.parametrize("rule", ["flat", "w-squared"])
def test_the_sign_of_zero_is_positive(rule):
    """A rule that ignores activations passes relevance to a sum of exactly zero."""
    layer, x = cancelling()
    net = nn.Sequential(layer, nn.Linear(2, 2, bias=False).double())
    net[1].weight.data.fill_(1.0)  # half of the relevance to each unit, or a little less
    recipe = relprop.Recipe.preset("epsilon", epsilon=0.5).using("1", rule)
    got = explain(net, x, recipe, target=0, initial="one")
    to_each = 1 / (2 + 1e-6)
    first, second = torch.tensor([1.0, -1.0]) / 0.5, torch.tensor([2.0, 1.0]) / 3.5
    assert_same(got, to_each * (first + second).double()[None], 1e-7)


def test_gamma_passes_nothing_on_from_a_sum_of_zero():
    """Though a sigmoid makes it a half, which has relevance."""
    layer, x = cancelling()
    net = nn.Sequential(layer, nn.Sigmoid(), nn.Linear(2, 2, bias=False).double())
    net[2].weight.data.fill_(1.0)
    recipe = relprop.Recipe.preset("zero").using("0", "gamma", gamma=0.5).using("1", "pass-through")
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
    recipe = passing_through(relprop.Recipe.preset("zero"), net)
    assert_same(explain(net, x, recipe, target=0), want, 1e-12)


def test_a_negative_sum_is_stabilised_downwards():
    layer, x = cancelling()
    recipe = relprop.Recipe.preset("epsilon", epsilon=0.5)
    got = explain(nn.Sequential(layer), -x, recipe, target=1, initial="one")
    assert_same(got, torch.tensor([[2.0, 1.0]], dtype=torch.float64) / 3.5, 1e-15)
