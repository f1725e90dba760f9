"""Random networks and recipes against the reference implementation."""

from random import Random

import pytest
import torch
from helpers import reference_rules as reference
from helpers.close_maps import passing_through
from helpers.networks import Concat, Residual, randomise, signed
from torch import nn

import relprop

ACTIVATIONS = [
    nn.ReLU,
    nn.ReLU,
    nn.ReLU,
    nn.GELU,
    nn.Tanh,
    nn.Sigmoid,
    nn.ELU,
    nn.SiLU,
    nn.LeakyReLU,
]


class Drawing:
    """Draws a network layer by layer, for inputs (channels, height, width)."""

    def __init__(self, seed: int) -> None:
        self.random, self.has_residual = Random(seed), False
        self.shape = (
            self.random.choice([1, 2, 4]),
            *self.random.choice([(7, 8), (9, 7), (10, 10)]),
        )

    def network(self) -> nn.Sequential:
        """Draw one to three blocks, then one or two linear layers into 3 classes."""
        net = nn.Sequential()
        channels = self.shape[0]
        for _ in range(self.random.randint(1, 3)):
            for layer in self.block(channels):
                if not self._fits(net, layer):
                    break
                net.append(layer)
            channels = net.eval()(torch.zeros(1, *self.shape)).shape[1]
        net.append(nn.Flatten())
        width = net(torch.zeros(1, *self.shape)).numel()
        if self.random.random() < 0.5:
            hidden = nn.Linear(width, 6, bias=self.random.random() < 0.7)
            net.extend([hidden, *self.norm(nn.BatchNorm1d(6)), self.random.choice(ACTIVATIONS)()])
            width = 6
        net.append(nn.Linear(width, 3, bias=self.random.random() < 0.7))
        return randomise(net.double(), seed=self.random.randrange(1000))

    @torch.no_grad()
    def _fits(self, net: nn.Sequential, layer: nn.Module) -> bool:
        """Tell whether layer has an output of at most 250 values, so that matrices stay small."""
        try:
            out = nn.Sequential(*net, layer).eval()(torch.zeros(1, *self.shape))
        except RuntimeError:
            return False
        return 0 < out.numel() <= 250

    def norm(self, layer: nn.Module) -> list[nn.Module]:
        return [layer] if self.random.random() < 0.3 else []

    def block(self, channels: int) -> list[nn.Module]:
        """Draw a convolution or a block of two, an activation, perhaps a pool."""
        kind = self.random.choice(["conv"] * 5 + ["deconv", "residual", "concat"])
        if kind == "residual" and not self.has_residual:
            self.has_residual = True
            return [Residual(*self.same(channels)), *self.tail()]
        if kind == "concat":
            branches = [nn.Sequential(*self.same(channels)) for _ in range(2)]
            return [Concat(*branches, self.random.choice([nn.Identity(), nn.ReLU()])), *self.tail()]
        groups = self.random.choice([1, 1, channels])
        out = groups * self.random.choice([1, 2] if groups > 1 else [2, 3])
        build = nn.ConvTranspose2d if kind == "deconv" else nn.Conv2d
        layer = build(
            channels,
            out,
            (self.random.randint(1, 3), self.random.randint(1, 3)),
            stride=self.random.choice([1, 1, 2]),
            padding=self.random.randint(0, 1),
            dilation=self.random.choice([1, 1, 2]),
            groups=groups,
            bias=self.random.random() < 0.6,
        )
        return [layer, *self.norm(nn.BatchNorm2d(out)), *self.tail()]

    def same(self, channels: int) -> list[nn.Module]:
        """Draw a convolution that preserves the shape, and an activation."""
        layer = nn.Conv2d(channels, channels, 3, padding="same", bias=self.random.random() < 0.6)
        return [layer, *self.norm(nn.BatchNorm2d(channels)), self.random.choice(ACTIVATIONS)()]

    def tail(self) -> list[nn.Module]:
        pools = [
            nn.MaxPool2d(2),
            nn.MaxPool2d(3, 2, padding=1),
            nn.MaxPool2d(2, 1, dilation=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.AvgPool2d(2),
            nn.AvgPool2d(3, 2, padding=1),
            nn.AvgPool2d(3, 2, padding=1, count_include_pad=False, ceil_mode=True),
            nn.AdaptiveAvgPool2d((3, 2)),
            nn.Dropout(),
        ]
        chosen = self.random.choice([[], *([pool] for pool in pools)])
        first = self.random.choice([[], [self.random.choice(ACTIVATIONS)()]])
        return [*first, *chosen]

    def rule(self) -> tuple[str, dict[str, float]]:
        beta = self.random.choice([0.0, 0.5, 1.0])
        return self.random.choice(
            [
                ("zero", {}),
                ("epsilon", {"epsilon": self.random.choice([1e-6, 0.01, 1.0])}),
                ("epsilon", {"epsilon": 0.1, "relative": True}),
                ("gamma", {"gamma": self.random.choice([0.0, 0.1, 2.0])}),
                ("alpha-beta", {"alpha": 1 + beta, "beta": beta}),
                ("z-plus", {}),
                ("flat", {}),
                ("w-squared", {}),
                ("z-box", {"low": -2.0, "high": self.random.choice([0.0, 3.0])}),
            ]
        )


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
@pytest.mark.parametrize("seed", range(30))
def test_a_random_recipe_on_a_random_network(seed):
    drawing = Drawing(seed)
    net = drawing.network()
    recipe, rules = relprop.Recipe.preset("epsilon"), {}
    for at, layer in net.named_modules():
        if isinstance(layer, reference.WEIGHTED):
            rules[at] = drawing.rule()
            recipe = recipe.using(at, rules[at][0], **rules[at][1])
    recipe = passing_through(recipe, net)
    x = signed(2, *drawing.shape, seed=seed)
    got = relprop.Explainer(net, recipe)(x).relevance
    distances = []
    for sums in (
        0.0,
        reference.STABILISER,
    ):  # the stabiliser of x + y depends on the rule of the layer above it
        want = reference.explain(net, x, lambda at, _: rules[at], sums=sums)
        distances.append(float((got - want).norm() / want.norm().clamp(min=1e-300)))
    assert min(distances) <= 1e-9, (distances, net, rules)
