"""What is known of a graph's values before it runs."""

import pytest
import torch
from helpers.graphs import analyse
from helpers.networks import signed
from torch import Tensor, nn
from torch.nn import functional as F

from relprop.graph.analysis import analyse_graph, dependent_args
from relprop.graph.ir import Graph


def operations(graph: Graph, names) -> list[str]:
    return [node.operation for node in graph.nodes if node.name in names]


def layers(graph: Graph, names) -> list[str]:
    return [node.module.removeprefix("layers.") for node in graph.nodes if node.name in names]


def test_values_that_depend_on_the_input():
    graph, analysis = analyse(lambda x, a, b, *_: a(x) * (x > 0) + b.weight.sum() + b.bias.relu())
    assert operations(graph, analysis.dependent) == ["linear", "mul", "add", "add"]
    product = next(node for node in graph.nodes if node.operation == "mul")
    assert dependent_args(product, analysis.dependent) == (0,)  # a mask is held as it is


def test_values_that_are_held_are_independent():
    graph, analysis = analyse(lambda x, a, b, c, d: d(a(x).tanh() + b(x)))
    held = frozenset(node.name for node in graph.nodes if node.operation == "tanh")
    assert analysis.dependent - analyse_graph(graph, held).dependent == held


NONNEGATIVE = {
    "a square root of squares": (lambda h: h.square().sqrt(), ["square", "sqrt"]),
    "pooled": (lambda h: F.max_pool1d(h.relu(), 2), ["relu", "max_pool1d"]),
    "a sum": (lambda h: h.relu() + h.exp(), ["relu", "exp", "add"]),
    "a sum with any sign": (lambda h: h.relu() + h, ["relu"]),
    "a difference": (lambda h: h.relu() - h.exp(), ["relu", "exp"]),
    "shifted down": (lambda h: h.relu() + -1.0, ["relu"]),
    "clipped": (lambda h: h.clamp(0.5, 2.0), ["clamp"]),
}


@pytest.mark.parametrize("name", NONNEGATIVE)
def test_values_that_are_never_negative(name):
    function, expected = NONNEGATIVE[name]
    graph, analysis = analyse(lambda x, a, b, *_: function(a(x)))
    assert operations(graph, analysis.nonnegative) == expected


def attend(x: Tensor, layer: nn.Linear) -> Tensor:
    """Attention whose values alone depend on the input."""
    constant, value = layer.weight.expand(x.shape[0], 4, 4), layer(x)[:, None].expand(-1, 4, 4)
    return F.scaled_dot_product_attention(constant, constant, value).flatten(1)


KINDS = {
    "x W": (lambda x, a, *_: x @ a.weight, ["linear"]),
    "W x": (lambda x, a, *_: (a.weight @ x[..., None]).flatten(1), []),
    "two values": (
        lambda x, a, b, *_: (a(x)[..., None] @ b(x)[:, None]).flatten(1),
        ["linear", "linear", "matmul"],
    ),
    "a constant factor": (lambda x, a, b, *_: a(x) * b.weight[0], ["linear"]),
    "attention in its values": (lambda x, a, *_: attend(x, a), ["linear"]),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_products_follow_from_what_depends_on_the_input(name):
    function, expected = KINDS[name]
    graph, analysis = analyse(function)
    assert [analysis.kinds[n.name] for n in graph.nodes if n.name in analysis.kinds] == expected


def test_places_of_layers():
    """Layer 1 stands beside layer 0; 2 follows both; 3 is last."""
    graph, analysis = analyse(lambda x, a, b, c, d: d(c(a(x).relu() + b(x))))
    assert layers(graph, analysis.first_layers) == ["0", "1"]
    assert layers(graph, analysis.last_layers) == ["3"]
    depths = [analysis.depth[node.name] for node in graph.nodes if node.operation == "linear"]
    torch.testing.assert_close(depths, [0.0, 1 / 3, 2 / 3, 1.0])


class UsedTwice(nn.Module):
    """A layer's output before and after batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        return h + self.norm(h)


PICTURE = signed(2, 1, 6, 6)
FOLDS = {
    "after a convolution": (nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)), PICTURE, 1),
    "after a linear layer": (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), signed(2, 4), 1),
    "over a sequence": (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(5)), signed(2, 5, 4), 0),
    "after an activation": (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(1)), PICTURE, 0),
    "of what is used twice": (UsedTwice(), signed(2, 4), 0),
}


@pytest.mark.parametrize("name", FOLDS)
def test_batch_norms_that_fold_into_a_layer(name):
    model, x, count = FOLDS[name]
    _, analysis = analyse(nn.Sequential(model, nn.Flatten()), x)
    assert len(analysis.folds) == len(analysis.folded) == count
    for layer, norm in analysis.folds.items():
        assert norm.inputs[0] == layer
        assert norm.name in analysis.folded
