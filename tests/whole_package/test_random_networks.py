"""Networks and recipes drawn at random, against the definitions: cases that no list thinks of."""

from random import Random

import pytest
import torch
from helpers import reference_rules as reference
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
    """Draws a network for inputs of (channels, side, side), layer by layer."""

    def __init__(self, seed: int) -> None:
        self.any, self.has_residual = Random(seed), False
        self.shape = (self.any.choice([1, 2, 4]), *self.any.choice([(7, 8), (9, 7), (10, 10)]))

    def network(self) -> nn.Sequential:
        """One to three blocks, then one or two linear layers into 3 classes."""
        net = nn.Sequential()
        channels = self.shape[0]
        for _ in range(self.any.randint(1, 3)):
            for layer in self.block(channels):
                if not self._fits(net, layer):
                    break
                net.append(layer)
            channels = net.eval()(torch.zeros(1, *self.shape)).shape[1]
        net.append(nn.Flatten())
        width = net(torch.zeros(1, *self.shape)).numel()
        if self.any.random() < 0.5:
            hidden = nn.Linear(width, 6, bias=self.any.random() < 0.7)
            net.extend([hidden, *self.norm(nn.BatchNorm1d(6)), self.any.choice(ACTIVATIONS)()])
            width = 6
        net.append(nn.Linear(width, 3, bias=self.any.random() < 0.7))
        return randomise(net.double(), seed=self.any.randrange(1000))

    @torch.no_grad()
    def _fits(self, net: nn.Sequential, layer: nn.Module) -> bool:
        """Whether layer leaves something of at most 250 values, so that matrices stay small."""
        try:
            out = nn.Sequential(*net, layer).eval()(torch.zeros(1, *self.shape))
        except RuntimeError:
            return False
        return 0 < out.numel() <= 250

    def norm(self, layer: nn.Module) -> list[nn.Module]:
        return [layer] if self.any.random() < 0.3 else []

    def block(self, channels: int) -> list[nn.Module]:
        """A convolution or what is built of two, an activation, perhaps a pool."""
        kind = self.any.choice(["conv"] * 5 + ["deconv", "residual", "concat"])
        if kind == "residual" and not self.has_residual:
            self.has_residual = True
            return [Residual(*self.same(channels)), *self.tail()]
        if kind == "concat":
            branches = [nn.Sequential(*self.same(channels)) for _ in range(2)]
            return [Concat(*branches, self.any.choice([nn.Identity(), nn.ReLU()])), *self.tail()]
        groups = self.any.choice([1, 1, channels])
        out = groups * self.any.choice([1, 2] if groups > 1 else [2, 3])
        build = nn.ConvTranspose2d if kind == "deconv" else nn.Conv2d
        layer = build(
            channels,
            out,
            (self.any.randint(1, 3), self.any.randint(1, 3)),
            stride=self.any.choice([1, 1, 2]),
            padding=self.any.randint(0, 1),
            dilation=self.any.choice([1, 1, 2]),
            groups=groups,
            bias=self.any.random() < 0.6,
        )
        return [layer, *self.norm(nn.BatchNorm2d(out)), *self.tail()]

    def same(self, channels: int) -> list[nn.Module]:
        """A convolution that keeps the shape, and an activation."""
        layer = nn.Conv2d(channels, channels, 3, padding="same", bias=self.any.random() < 0.6)
        return [layer, *self.norm(nn.BatchNorm2d(channels)), self.any.choice(ACTIVATIONS)()]

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
        chosen = self.any.choice([[], *([pool] for pool in pools)])
        first = self.any.choice([[], [self.any.choice(ACTIVATIONS)()]])
        return [*first, *chosen]

    def rule(self) -> tuple[str, dict[str, float]]:
        beta = self.any.choice([0.0, 0.5, 1.0])
        return self.any.choice(
            [
                ("zero", {}),
                ("epsilon", {"epsilon": self.any.choice([1e-6, 0.01, 1.0])}),
                ("epsilon", {"epsilon": 0.1, "relative": True}),
                ("gamma", {"gamma": self.any.choice([0.0, 0.1, 2.0])}),
                ("alpha-beta", {"alpha": 1 + beta, "beta": beta}),
                ("z-plus", {}),
                ("flat", {}),
                ("w-squared", {}),
                ("z-box", {"low": -2.0, "high": self.any.choice([0.0, 3.0])}),
            ]
        )


@pytest.mark.parametrize("seed", range(30))
def test_a_random_recipe_on_a_random_network(seed):
    drawing = Drawing(seed)
    net = drawing.network()
    recipe, rules = relprop.Recipe.preset("epsilon"), {}
    for at, layer in net.named_modules():
        if isinstance(layer, reference.WEIGHTED):
            rules[at] = drawing.rule()
            recipe = recipe.using(at, rules[at][0], **rules[at][1])
    x = signed(2, *drawing.shape, seed=seed)
    got = relprop.Explainer(net, recipe)(x).relevance
    distances = []
    for sums in (0.0, reference.STABILISER):  # of x + y: which one depends on what is above it
        want = reference.explain(net, x, lambda at, _: rules[at], sums=sums)
        distances.append(float((got - want).norm() / want.norm().clamp(min=1e-300)))
    assert min(distances) <= 1e-9, (distances, net, rules)
