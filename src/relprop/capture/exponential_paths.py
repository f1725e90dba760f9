"""Finds exponentials that a value is a weighted sum of, and the operations on the way from them.

    sum(e)      mean(e * v)      e @ v      v^T @ e^T      einsum("bn,bnd->bd", e, v)      views

Takes nodes before a value. It tells what may be linear in e; whether it is, numbers show. Must not
know what a softmax is.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ..graph.ir import Node, Ref
from .rewriting import Rewriting, is_view

# Operations that are linear in any one argument, if the others do not depend on it.
_LINEAR = frozenset(
    {
        *("sum", "mean", "cumsum", "linalg_vector_norm", "norm"),  # norms: of what is >= 0
        *("mul", "matmul", "bmm", "mm", "mv", "einsum", "linear", "tensordot"),
        *("transpose", "permute", "t", "movedim", "swapaxes", "flatten", "unflatten"),
        *("slice", "select", "narrow", "contiguous", "alias", "_to_copy", "squeeze"),
    }
)
_LINEAR_IN_THE_FIRST = frozenset(["div", "type_as", "expand_as"])


class PathStep(NamedTuple):
    """A node, and the position of its argument that the path comes from."""

    node: Node
    place: int


def find_path(value: object, start: Node, graph: Rewriting) -> list[PathStep] | None:
    """List the steps from a node to a value; None if there is no way, or more than one."""
    paths: dict[str, list[PathStep] | None] = {}

    def search(value: object) -> list[PathStep] | None:
        node = graph.of(value)
        if node is None or node.name in paths:
            return paths[node.name] if node else None
        paths[node.name] = [] if graph.same(node, start) else None
        found = [] if paths[node.name] == [] else [(i, search(node.args[i])) for i in places(node)]
        ways = [[*path, PathStep(node, i)] for i, path in found if path is not None]
        if len(ways) == 1:
            paths[node.name] = ways[0]
        return paths[node.name]

    return search(value)


def values_before(value: object, graph: Rewriting) -> Iterator[Node]:
    """List the nodes that a value may be a weighted sum of, the nearest first."""
    waiting, seen = [value], set[str]()
    while waiting:
        node = graph.of(waiting.pop(0))
        if node is not None and node.name not in seen:
            seen.add(node.name)
            yield node
            waiting += [node.args[i] for i in places(node)]


def places(node: Node) -> list[int]:
    """List the positions of the arguments that a node may be linear in."""
    if node.operation in _LINEAR_IN_THE_FIRST or is_view(node):
        return [0]
    linear = node.operation in _LINEAR
    return [i for i, arg in enumerate(node.args) if linear and isinstance(arg, Ref)]
