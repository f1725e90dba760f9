"""The operation that computed the first NaN or infinity."""

import torch

from relprop.graph.first_nonfinite import describe_first_nonfinite
from relprop.graph.ir import Graph, Node, Ref

ATEN = torch.ops.aten


def describe(x: list[float], *calls) -> str:
    """Run operations one after the other, each in a module of its own."""
    nodes = []
    for i, (target, *args) in enumerate(calls):
        name, value = str(target).split(".")[1], (Ref(f"v{i}"), *args)
        nodes.append(Node(f"v{i + 1}", name, target, value, {}, f"part.{i}", "", 0, (), True))
    graph = Graph(tuple(nodes), {"x": "v0"}, ("v0",), (), nodes[-1].name, {}, {})
    return describe_first_nonfinite(graph, {"x": torch.tensor(x)}, {})


def test_the_first_operation_that_gives_infinity_or_nan_is_named():
    calls = (ATEN.mul.Tensor, 3.0), (ATEN.exp.default,), (ATEN.log.default,)
    assert describe([1.0, 300.0], *calls) == '; the first such number came from "part.1" (exp)'
    assert describe([1.0, -2.0], (ATEN.sqrt.default,), (ATEN.neg.default,)).endswith(
        '"part.0" (sqrt)'
    )


def test_finite_numbers_and_the_infinity_of_masks_have_no_such_operation():
    assert describe([1.0, 2.0], (ATEN.exp.default,)) == ""
    mask = ATEN.masked_fill.Scalar, torch.tensor([True, False]), -torch.inf
    assert describe([1.0, 2.0], mask, (ATEN.exp.default,)) == ""
