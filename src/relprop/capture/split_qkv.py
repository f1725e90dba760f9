"""Splits the packed projection of torch's multi-head attention into queries, keys and values.

torch computes all three by one product. Split, each is a linear layer with its rows of the weight:
unused projections then drop out of the backward pass, and no slices are copied. The projection of
the output gets its samples and positions back as two dimensions, which torch merges for it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from ..graph.ir import Graph, Node, Ref

# What torch.nn.functional does between the packed product (..., 3 * width) and the three parts:
# operation and its arguments. First, a view as (..., 3, width).
_UNPACKING = (("unsqueeze", (0,)), ("transpose", (0, -2)), ("squeeze", (-2,)), ("clone", ()))

Consumers = Mapping[str, Sequence[Node]]  # value name -> the nodes that take it


class _Views(NamedTuple):
    """The views around a linear layer: samples and positions merged before, split after."""

    merge: Node
    split: Node


def split_projections(graph: Graph) -> Graph:
    """Split the projections of `nn.MultiheadAttention` and its subclasses, where they have any."""
    consumers = defaultdict(list)
    for node in graph.nodes:
        for name in node.inputs:
            consumers[name].append(node)
    removed: set[str] = set()
    replacements: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.operation != "linear" or node.base != "MultiheadAttention":
            continue
        unpacking = _find_unpacking(node, consumers)
        parts = consumers[unpacking[-1].name] if unpacking else []
        if parts and all(part.operation == "select" and part.args[1] == 0 for part in parts):
            removed.update(n.name for n in (node, *unpacking))
            replacements.update({part.name: _projection(node, part) for part in parts})
        views = _find_views(node, consumers, graph) if node.merged else None
        if views:
            removed.update((views.merge.name, node.name))
            replacements[views.split.name] = _without_views(node, views)
    nodes = [new for node in graph.nodes for new in replacements.get(node.name, [node])]
    return replace(graph, nodes=tuple(node for node in nodes if node.name not in removed))


def _find_unpacking(linear: Node, consumers: Consumers) -> list[Node]:
    """Find the operations from a packed product to the value that its parts are selected from.

    Returns none of them if any is another than in torch's code.
    """
    steps: list[Node] = []
    for operation, arguments in (("view", None), *_UNPACKING):
        after = consumers[(steps[-1] if steps else linear).name]
        if len(after) != 1 or after[0].operation != operation:
            return []
        if arguments is not None and after[0].args[1:] != arguments:
            return []
        steps += after
    splits_the_last = steps[0].shape[:-2] == linear.shape[:-1]
    return steps if splits_the_last else []


def _projection(linear: Node, part: Node) -> list[Node]:
    """Write one part of a packed product as a product with its own rows of weight and bias."""
    x, *parameters = linear.args
    index, size = part.args[2], part.shape[-1]
    packed = [parameter for parameter in parameters if parameter is not None]
    slices = [
        replace(
            part,
            name=f"{part.name}_{kind}",
            operation="slice",
            target=torch.ops.aten.slice.Tensor,
            args=(parameter, 0, index * size, (index + 1) * size),
            shape=(size,) * dims,
        )
        for (kind, dims), parameter in zip((("weight", 2), ("bias", 1)), packed, strict=False)
    ]
    args = (x, *(Ref(rows.name) for rows in slices))
    return [*slices, replace(linear, name=part.name, args=args, shape=part.shape)]


def _find_views(linear: Node, consumers: Consumers, graph: Graph) -> _Views | None:
    """Find the views that merge samples and positions for a linear layer, and split them again."""
    before, after = graph.node(linear.args[0].name), consumers[linear.name]
    if before is None or len(consumers[before.name]) != 1 or len(after) != 1:
        return None
    are_views = before.operation == after[0].operation == "view" and not after[0].merged
    return _Views(before, after[0]) if are_views and _same_width(after[0], linear) else None


def _same_width(node: Node, other: Node) -> bool:
    return node.shape[-1] == other.shape[-1]


def _without_views(linear: Node, views: _Views) -> list[Node]:
    """Write a linear layer on merged dimensions as the same one on all of them."""
    merge, split = views
    width = merge.shape[-1]
    sizes, shape = [*split.args[1][:-1], width], (*split.shape[:-1], width)
    name, args = f"{split.name}_unmerged", (merge.args[0], sizes)
    view = replace(merge, name=name, args=args, shape=shape, merged=False)
    args = (Ref(view.name), *linear.args[1:])
    return [view, replace(linear, name=split.name, args=args, shape=split.shape, merged=False)]
