"""Packed projections: torch's multi-head attention makes queries, keys and values by one product.

Here each is a product of its own, with its rows of the weights: what takes no relevance is then
no part of the way back, and nothing is copied to be taken apart. The projection of its output does
not have positions and samples in one dimension: these are then told apart.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from ..graph.ir import Graph, Node, Ref

# What torch.nn.functional does with (..., n * size) before it takes part by part of (n, ..., size).
_TAKEN_APART = (("unsqueeze", (0,)), ("transpose", (0, -2)), ("squeeze", (-2,)), ("clone", ()))


def split_projections(graph: Graph) -> Graph:
    """The same graph with the packed projections of `nn.MultiheadAttention` taken apart."""
    readers = defaultdict(list)
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node)
    gone: set[str] = set()
    projections: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.operation == "linear" and node.type == "MultiheadAttention":
            between = _between(node, readers)
            parts = readers[between[-1].name] if between else []
            if parts and all(part.operation == "select" and part.args[1] == 0 for part in parts):
                gone.update(step.name for step in (node, *between))
                projections.update({part.name: _projection(node, part) for part in parts})
    for node in graph.nodes:
        if node.operation == "linear" and node.type == "MultiheadAttention" and node.merged:
            around = _around(node, readers, graph)
            if around:
                before, after = around
                gone.update((before.name, node.name))
                projections[after.name] = _unmerged(before, node, after)
    nodes = [new for node in graph.nodes for new in projections.get(node.name, [node])]
    return replace(graph, nodes=tuple(node for node in nodes if node.name not in gone))


def _around(
    linear: Node, readers: Mapping[str, Sequence[Node]], graph: Graph
) -> tuple[Node, Node] | None:
    """The views that put samples and positions into one dimension, and back; None if others."""
    before, after = graph.node(linear.args[0].name), readers[linear.name]
    if before is None or len(readers[before.name]) != 1 or len(after) != 1:
        return None
    fits = before.operation == after[0].operation == "view" and not after[0].merged
    return (before, after[0]) if fits and after[0].shape[-1] == linear.shape[-1] else None


def _unmerged(before: Node, linear: Node, after: Node) -> list[Node]:
    """The same product of all dimensions, where it stood in one."""
    width = before.shape[-1]
    sizes, shape = [*after.args[1][:-1], width], (*after.shape[:-1], width)
    name, args = f"{after.name}_unmerged", (before.args[0], sizes)
    view = replace(before, name=name, args=args, shape=shape, merged=False)
    args = (Ref(view.name), *linear.args[1:])
    return [view, replace(linear, name=after.name, args=args, shape=after.shape, merged=False)]


def _between(linear: Node, readers: Mapping[str, Sequence[Node]]) -> list[Node]:
    """The operations from a packed product to the value that parts are taken of; none if others."""
    steps: list[Node] = []
    for operation, rest in (("view", None), *_TAKEN_APART):
        found = readers[(steps[-1] if steps else linear).name]
        if len(found) != 1 or found[0].operation != operation:
            return []
        if rest is not None and found[0].args[1:] != rest:
            return []
        steps += found
    splits_the_last = steps[0].shape[:-2] == linear.shape[:-1]
    return steps if splits_the_last else []


def _projection(linear: Node, part: Node) -> list[Node]:
    """One part of a packed product as a product with its own rows of the weights."""
    x, *rest = linear.args
    index, size = part.args[2], part.shape[-1]
    packed = [rows for rows in rest if rows is not None]
    slices = [
        replace(
            part,
            name=f"{part.name}_{kind}",
            operation="slice",
            target=torch.ops.aten.slice.Tensor,
            args=(rows, 0, index * size, (index + 1) * size),
            shape=(size,) * dims,
        )
        for (kind, dims), rows in zip((("weight", 2), ("bias", 1)), packed, strict=False)
    ]
    args = (x, *(Ref(rows.name) for rows in slices))
    return [*slices, replace(linear, name=part.name, args=args, shape=part.shape)]
