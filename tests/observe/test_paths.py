"""Which paths of relevance are kept: compared with the definition, path by path."""

import random

import pytest
import torch
from helpers.networks import randomise, signed
from torch import Tensor, nn

import relprop

NODES, SHARED = 7, 3


class RandomNetwork(nn.Module):
    """Each node is a linear layer, of the sum of some nodes before it; some layers are shared."""

    def __init__(self, seed: int):
        super().__init__()
        draw = random.Random(seed)
        self.layers = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(NODES - SHARED))
        self.layer_of = [draw.randrange(len(self.layers)) for _ in range(NODES)]
        self.reads = [
            [j for j in (-1, *range(k)) if draw.random() < 0.5] or [-1] for k in range(NODES)
        ]
        used = {j for reads in self.reads for j in reads}
        self.last = [k for k in range(NODES) if k not in used or draw.random() < 0.3]
        self.head = nn.Linear(3, 2, bias=False)

    def forward(self, x):
        values = {-1: x}
        for k in range(NODES):
            values[k] = self.layers[self.layer_of[k]](sum(values[j] for j in self.reads[k]))
        return self.head(sum(values[k] for k in self.last))


def paths(network: RandomNetwork, reads: list[int]) -> list[tuple[int, ...]]:
    """List all paths backward as the nodes that they pass."""
    onward = [(k, *rest) for k in reads if k >= 0 for rest in paths(network, network.reads[k])]
    return [*onward, *([()] if -1 in reads else [])]


def by_definition(network: RandomNetwork, x: Tensor, conditions: dict[int, list[int]]) -> Tensor:
    """Add up the paths that pass as many of the named layers as can be passed, each a product."""
    weights = [layer.weight.detach().clone() for layer in network.layers]
    for layer, channels in conditions.items():
        weights[layer][[i for i in range(3) if i not in channels]] = 0
    every = paths(network, network.last)
    passed = [{network.layer_of[k] for k in path} & set(conditions) for path in every]
    total = torch.zeros(3, dtype=torch.float64)
    for path, layers in zip(every, passed, strict=True):
        if not any(layers < others for others in passed):
            c = network.head.weight[1].detach()
            for k in path:
                c = c @ weights[network.layer_of[k]]
            total = total + c
    return x * total


@pytest.mark.parametrize("seed", range(12))
def test_the_kept_paths_are_those_of_the_definition(seed):
    network, x = randomise(RandomNetwork(seed)).double(), signed(2, 3)
    explainer, draw = relprop.Explainer(network, "zero"), random.Random(seed)
    used = sorted(set(network.layer_of))
    for count in range(1, len(used) + 1):
        named = {k: sorted(draw.sample(range(3), 2)) for k in draw.sample(used, count)}
        conditions = {f"layers.{k}": channels for k, channels in named.items()}
        e = explainer(x, 1, conditions=conditions, ledger=True)
        torch.testing.assert_close(e.relevance, by_definition(network, x, named))
        assert e.ledger.error < 1e-12


class Chain(nn.Module):
    """Residual blocks, of which each could be passed or gone around."""

    def __init__(self, blocks: int):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(blocks))

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return x


def test_many_named_modules_in_series_are_one_path():
    """Not 2^30 combinations of modules that relevance may have passed."""
    network, x = randomise(Chain(30)).double(), signed(1, 2)
    got = relprop.explain(network, x, "zero", target=1, conditions={"blocks.*": [0, 1]}).relevance
    c = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for block in reversed(network.blocks):
        c = c @ block.weight
    torch.testing.assert_close(got, (x * c).detach())
