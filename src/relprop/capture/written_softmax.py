"""Finds softmaxes that a model's code writes out, and makes them the operation softmax.

    exp(k) / sum(exp(k))         sum(exp(k) v) / sum(exp(k))         exp(k) @ v / sum(exp(k))
    k - logsumexp(k)             k - log(sum(exp(k)))                exp(log_softmax(k))

A softmax so written takes the softmax's rule, whatever operations spell it. The same is true of a
product with the reciprocal of the sum, of a sum with a stabiliser, which `softmax_divisor` reads,
and of exponentials with a mask, which `softmax_logits` reads. The graph gives the same numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from ..graph.ir import Graph, Node, Ref
from .rewriting import Rewriting, computed, is_view
from .softmax_divisor import (
    Divisor,
    fill_empty_rows,
    read_divisor,
    read_total,
    share_of_sum,
    sorted_dims,
)
from .softmax_logits import Masks, read_logits, without_maximum

_PRODUCTS = ("mul", "matmul", "bmm")


def join_softmax(graph: Graph, values: Mapping[str, Any]) -> Graph:
    """Replace each softmax or log-softmax that is written out by the one operation.

    Args:
        graph: The graph.
        values: All values that no node computes, for some samples: they tell which are masks.
    """
    masks = Masks(graph, values)
    rewritten = Rewriting({node.name: node for node in graph.nodes}, [])
    for node in graph.nodes:
        for new in _softmax_in_place_of(node, rewritten, masks) or [node]:
            rewritten.add(new)
    if all(a is b for a, b in zip(rewritten.nodes, graph.nodes, strict=False)):
        return graph
    return replace(graph, nodes=tuple(_without_unread(rewritten.nodes, graph)))


class _PathStep(NamedTuple):
    """A node, and the position of its argument that the path comes from."""

    node: Node
    place: int


def _softmax_in_place_of(node: Node, graph: Rewriting, masks: Masks) -> list[Node] | None:
    """Return the nodes that compute a node's result by a softmax; None if it is none."""
    if node.kwargs or len(node.args) != 2:
        before = graph.of(node.args[0]) if node.operation == "exp" else None
        if before is None or before.operation != "log_softmax":
            return None
        return [_call("softmax", before.args[0], before.args[1], node)]
    if node.operation == "sub":
        return _log_softmax(node, graph)
    # Where the divisor is: of a product, one of the factors is one over it.
    for place in {"div": (1,), "mul": (1, 0)}.get(node.operation, ()):
        divisor = read_divisor(node.args[place], graph, inverted=node.operation == "mul")
        joined = divisor and _quotient(node, place, divisor, graph, masks)
        if joined:
            return joined
    return None


def _log_softmax(node: Node, graph: Rewriting) -> list[Node] | None:
    x, subtracted = node.args
    log = graph.without_views(subtracted)
    if log is None or not isinstance(x, Ref):
        return None
    if log.operation == "logsumexp" and graph.same_value(log.args[0], x):
        dims = sorted_dims(log.args[1], len(node.shape))
    else:
        inner = graph.without_views(log.args[0]) if log.operation == "log" else None
        total = read_total(inner, graph) if inner else None
        if total is None or not _is_exp(total.exponentials, x, graph):
            return None
        dims = total.dims
    if len(dims) != 1 or not _is_kept(graph.of(subtracted), node, dims):
        return None
    return [_call("log_softmax", without_maximum(x, dims, graph), dims[0], node)]


def _is_exp(node: Node, x: Ref, graph: Rewriting) -> bool:
    return node.operation == "exp" and graph.same_value(node.args[0], x)


def _quotient(
    node: Node, place: int, divisor: Divisor, graph: Rewriting, masks: Masks
) -> list[Node] | None:
    """Write exponentials, or a sum of their products with other values, over their sum."""
    above, below, e = node.args[1 - place], graph.of(node.args[place]), divisor.exponentials
    numerator = graph.without_views(above)
    if numerator is not None and graph.same(numerator, e):
        path = list[_PathStep]()
        fits = _is_kept(below, node, divisor.dims) and numerator.shape == node.shape == e.shape
    else:
        path = _path(above, e, graph)
        fits = bool(path) and _sums_over(path, divisor, below)
    logits = read_logits(e, divisor.dims, graph, masks, node.name) if fits else None
    if logits is None:
        return None
    result = f"{node.name}_unscaled" if divisor.stabilised else node.name
    weights = f"{node.name}_weights" if path else result
    filled = fill_empty_rows(logits.ref, divisor, node.name) if divisor.stabilised else []
    ref = Ref(filled[-1].name) if filled else logits.ref
    softmax = [*logits.added, *filled, *_over(ref, divisor.dims, e, weights)]
    written = [*softmax, *_again(path, weights, result)]
    return [*written, *_scaled(node, result, divisor)] if divisor.stabilised else written


def _scaled(node: Node, softmax: str, divisor: Divisor) -> list[Node]:
    """Multiply a softmax by the share of the sum of exponentials in the stabilised sum."""
    share = share_of_sum(divisor, node.name)
    args = (Ref(softmax), Ref(share[-1].name))
    return [*share, computed(node.name, torch.ops.aten.mul.Tensor, args, node)]


def _is_kept(statistic: Node | None, node: Node, dims: Iterable[int]) -> bool:
    """Tell whether a statistic lines up with a node: of its sizes, but 1 in these dimensions."""
    sizes = tuple(1 if dim in dims else size for dim, size in enumerate(node.shape))
    return statistic is not None and statistic.shape in (sizes, node.shape)


def _path(value: object, exponentials: Node, graph: Rewriting) -> list[_PathStep]:
    """List the steps from the exponentials to a sum of their products with other values.

    Views, one product and what sums it; [] for anything else.
    """
    path: list[_PathStep] = []
    node = graph.of(value)
    while node is not None and not graph.same(node, exponentials):
        sides = [i for i, arg in enumerate(node.args) if _leads_to(arg, exponentials, graph)]
        place = sides[0] if node.operation == "mul" and len(sides) == 1 else 0
        passes = is_view(node) or node.operation in ("sum", *_PRODUCTS)
        if not passes or (place == 0 and len(sides) > 1):
            return []
        path.insert(0, _PathStep(node, place))
        node = graph.of(node.args[place])
    products = [step for step in path if step.node.operation in _PRODUCTS]
    return path if node is not None and len(products) == 1 else []


def _leads_to(value: object, exponentials: Node, graph: Rewriting) -> bool:
    node = graph.without_views(value)
    return node is not None and graph.same(node, exponentials)


def _sums_over(path: list[_PathStep], total: Divisor, denominator: Node | None) -> bool:
    """Tell whether a path sums over the dimensions of the total, and lines up with it."""
    e, dims, result = total.exponentials, total.dims, path[-1].node
    if denominator is None:
        return False
    rest = [size for dim, size in enumerate(e.shape) if dim not in dims and size != 1]
    sums = [step.node for step in path if step.node.operation == "sum"]
    if not sums:  # a matrix product, of rows of exponentials
        *rows, width = denominator.shape
        last = dims == (len(e.shape) - 1,) and width == 1
        return last and result.shape[:-1] == tuple(rows) and [s for s in rows if s != 1] == rest
    if len(sums) != 1 or result is not sums[0]:
        return False
    product = path[-2].node
    over = sorted_dims(sums[0].args[1], len(product.shape))
    ahead = [size for size in e.shape[: dims[0]] if size != 1]
    same_place = [size for size in product.shape[: over[0]] if size != 1] == ahead
    summed = [product.shape[dim] for dim in over] == [e.shape[dim] for dim in dims]
    shape = _broadcast(denominator.shape, result.shape)
    return same_place and summed and shape and [s for s in denominator.shape if s != 1] == rest


def _broadcast(small: Sequence[int | None], large: Sequence[int | None]) -> bool:
    """Tell whether a shape with as many dimensions broadcasts to another."""
    pairs = zip(small, large, strict=False)
    return len(small) == len(large) and all(a in (1, b) for a, b in pairs)


def _over(logits: Ref, dims: tuple[int, ...], like: Node, name: str) -> list[Node]:
    """Write a softmax over these dimensions, as one of all their entries if there are several."""
    if len(dims) == 1:
        return [_call("softmax", logits, dims[0], replace(like, name=name))]
    first, last = dims[0], dims[-1]
    aten, soft = torch.ops.aten, f"{name}_softmax"
    shape = (*like.shape[:first], None, *like.shape[last + 1 :])
    args, sizes = (logits, first, last), [like.shape[dim] for dim in dims]
    flat = computed(f"{name}_flat", aten.flatten.using_ints, args, like, shape=shape)
    return [
        flat,
        _call("softmax", Ref(flat.name), first, replace(flat, name=soft)),
        computed(name, aten.unflatten.int, (Ref(soft), first, sizes), like),
    ]


def _call(operation: str, x: Ref, dim: int, like: Node) -> Node:
    return computed(like.name, getattr(torch.ops.aten, operation).int, (x, dim), like)


def _again(path: list[_PathStep], weights: str, end: str) -> Iterator[Node]:
    """Write a path with a softmax in place of the exponentials; its last node is named `end`."""
    before = weights
    for step, place in path:
        name = end if step is path[-1].node else f"{end}_{step.name}"
        args = (*step.args[:place], Ref(before), *step.args[place + 1 :])
        before = name
        yield replace(step, name=name, args=args)


def _without_unread(nodes: list[Node], before: Graph) -> list[Node]:
    """Leave out the nodes that were read before, and that no node reads any more."""
    read_before = {name for node in before.nodes for name in node.inputs}
    kept: list[Node] = []
    read = {before.output}
    for node in reversed(nodes):
        if node.name in read or node.name not in read_before:
            kept.insert(0, node)
            read.update(node.inputs)
    return kept
