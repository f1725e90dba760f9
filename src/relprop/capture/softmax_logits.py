"""Reads the logits k of which values are the exponentials, up to one factor for each row.

    exp(k)      exp(k - max(k))      softmax(k)

    e * mask      e.masked_fill(hidden, 0)      where(kept, e, 0)      e.tril()      e.triu()

What a mask sets to 0 among exponentials e of any of these, it sets to -inf among the logits. Where
e is multiplied by it, log(mask) is added to the logits: right for a mask of 0 and 1, and for all
weights >= 0. It must receive no relevance: a constant, a buffer, an input that is not explained,
or what is computed from comparisons.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..graph.ir import Node, Ref
from .masks import Masks
from .rewriting import Rewriting, computed
from .softmax_divisor import sorted_dims

_ZEROS = ("zeros", "zeros_like", "new_zeros")


@dataclass(frozen=True)
class SoftmaxLogits:
    """Logits, the nodes that mask them, and the value that they are before."""

    ref: Ref
    before: Ref
    added: tuple[Node, ...] = ()


def has_exponentials(node: Node, graph: Rewriting) -> bool:
    """Tell whether a node computes exponentials, or masks some, or what looks so."""
    if node.operation in ("exp", "softmax"):
        return True
    inner = (graph.of(node.args[place]) for place in _places(node, graph))
    return any(one is not None and has_exponentials(one, graph) for one in inner)


def read_logits(
    node: Node, dims: tuple[int, ...], graph: Rewriting, masks: Masks, prefix: str
) -> SoftmaxLogits | None:
    """Read a node as exponentials; None if it is none.

    Args:
        node: The node.
        dims: The dimensions of one row, whose entries may have a factor in common.
        graph: The nodes before it.
        masks: Finds masks.
        prefix: Begins the names of nodes that are added.
    """
    if node.operation == "exp":
        plain = without_maximum(node.args[0], dims, graph)
        return SoftmaxLogits(plain, plain)
    if node.operation == "softmax" and len(node.args) == 2 and not node.kwargs:
        same = sorted_dims(node.args[1], len(node.shape)) == dims
        return SoftmaxLogits(node.args[0], node.args[0]) if same else None
    for place in _places(node, graph):
        inner = graph.of(node.args[place])
        if inner is not None and inner.shape == node.shape:
            logits = read_logits(inner, dims, graph, masks, prefix)
            masked = _masked(node, place, logits.ref, masks, prefix) if logits else None
            if logits and masked is not None:
                ref = Ref(masked[-1].name) if masked else logits.ref
                return replace(logits, ref=ref, added=(*logits.added, *masked))
    return None


def without_maximum(logits: Ref, dims: tuple[int, ...], graph: Rewriting) -> Ref:
    """Leave out what is subtracted from all entries of a softmax alike, to avoid overflow."""
    node = graph.of(logits)
    if node is None or node.operation != "sub" or node.kwargs:
        return logits
    x, subtracted = node.args
    statistic, before = graph.of(subtracted), graph.without_views(x)
    alike = statistic is not None and all(
        len(statistic.shape) == len(node.shape) and statistic.shape[dim] == 1 for dim in dims
    )
    same_shape = before is None or graph.of(x) is None or graph.of(x).shape == node.shape  # type: ignore[union-attr]
    return x if alike and same_shape and isinstance(x, Ref) else logits


def _places(node: Node, graph: Rewriting) -> Iterator[int]:
    """List the arguments whose entries a node may mask, or copy."""
    if node.operation in ("tril", "triu", "clone"):
        yield 0
    if node.operation == "mul":
        yield from (0, 1)
    fills = {"masked_fill": ((0, 2),), "where": ((1, 2), (2, 1))}.get(node.operation, ())
    for place, fill in fills:
        if len(node.args) == 3 and _is_zero(node.args[fill], graph):
            yield place


def _is_zero(value: object, graph: Rewriting) -> bool:
    node = graph.of(value)
    return node.operation in _ZEROS if node else isinstance(value, (int, float)) and value == 0


def _masked(node: Node, place: int, logits: Ref, masks: Masks, prefix: str) -> list[Node] | None:
    """Write what a node does to exponentials as done to logits; None if it is no mask."""
    aten, name, nothing = torch.ops.aten, f"{prefix}_{node.name}", float("-inf")
    if node.operation == "clone":
        return []
    if node.operation == "masked_fill":
        args = (logits, node.args[1], nothing)
        return [computed(name, aten.masked_fill.Scalar, args, node)]
    if node.operation == "where":
        target = aten.where.ScalarOther if place == 1 else aten.where.ScalarSelf
        chosen = (logits, nothing) if place == 1 else (nothing, logits)
        return [computed(name, target, (node.args[0], *chosen), node)]
    if node.operation == "mul":
        mask = node.args[1 - place]
        numbers = masks.numbers(mask)
        return None if numbers is None else _times(node, mask, numbers, logits, name)
    ones = computed(f"{name}_ones", aten.ones_like.default, (logits,), node)
    part = computed(f"{name}_mask", node.target, (Ref(ones.name), *node.args[1:]), node)
    return [ones, part, *_plus_log(Ref(part.name), logits, part, node, name)]


def _times(node: Node, mask: Ref, numbers: Tensor, logits: Ref, name: str) -> list[Node]:
    """Write exponentials times a mask as logits plus its logarithm."""
    sizes = zip(numbers.shape, node.shape[len(node.shape) - numbers.ndim :], strict=True)
    shape = tuple(1 if own == 1 else size for own, size in sizes)
    cast = torch.ops.aten.type_as.default
    like = computed(f"{name}_mask", cast, (mask, logits), node, shape=shape)
    if numbers.is_floating_point():
        return _plus_log(mask, logits, like, node, name)
    return [like, *_plus_log(Ref(like.name), logits, like, node, name)]


def _plus_log(mask: Ref, logits: Ref, like: Node, node: Node, name: str) -> list[Node]:
    log = computed(f"{name}_log", torch.ops.aten.log.default, (mask,), like, held=True)
    return [log, computed(name, torch.ops.aten.add.Tensor, (logits, Ref(log.name)), node)]
