"""Finds softmaxes that a model's code writes out, and makes them the operation softmax.

    exp(k) / sum(exp(k))         sum(exp(k) v) / sum(exp(k))         exp(k) @ v / sum(exp(k))
    k - logsumexp(k)             k - log(sum(exp(k)))                exp(log_softmax(k))

A softmax so written takes the softmax's rule, whatever operations spell it. A maximum that is
subtracted from k first drops out: it changes no softmax.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from ..graph.ir import Graph, Node, Ref

_PRODUCTS = ("mul", "matmul", "bmm")
# Operations that neither compute nor reorder entries, though they may add or merge dimensions.
_END = torch.iinfo(torch.int64).max  # of a slice that has none
_VIEWS = ("view", "reshape", "unsqueeze", "squeeze", "expand", "expand_as", "clone", "detach")


def join_softmax(graph: Graph) -> Graph:
    """Replace each softmax or log-softmax that is written out by the one operation."""
    rewritten = _Rewriting({node.name: node for node in graph.nodes}, [])
    for node in graph.nodes:
        for new in _softmax_in_place_of(node, rewritten) or [node]:
            rewritten.add(new)
    if all(a is b for a, b in zip(rewritten.nodes, graph.nodes, strict=False)):
        return graph
    return replace(graph, nodes=tuple(_without_unread(rewritten.nodes, graph)))


@dataclass(frozen=True)
class _Rewriting:
    """The nodes by name, as they are so far, and those of the new graph in their order."""

    by_name: dict[str, Node]
    nodes: list[Node]

    def add(self, node: Node) -> None:
        self.by_name[node.name] = node
        self.nodes.append(node)

    def of(self, value: object) -> Node | None:
        """Return the node that computes a value; None for an input, a parameter or a number."""
        return self.by_name.get(value.name) if isinstance(value, Ref) else None

    def same(self, a: Node, b: Node, depth: int = 8) -> bool:
        """Tell whether two nodes compute the same, as where the code computes a value twice."""
        if a.name == b.name:
            return True
        alike = a.operation == b.operation and a.item == b.item and a.kwargs == b.kwargs
        if not alike or not depth or len(a.args) != len(b.args):
            return False
        pairs = [(self.of(x) or x, self.of(y) or y) for x, y in zip(a.args, b.args, strict=True)]
        return all(
            self.same(x, y, depth - 1) if isinstance(x, Node) and isinstance(y, Node) else x == y
            for x, y in pairs
        )

    def same_value(self, a: object, b: object) -> bool:
        """Tell whether two arguments are the same value."""
        x, y = self.of(a), self.of(b)
        return a == b if x is None or y is None else self.same(x, y)

    def without_views(self, value: object) -> Node | None:
        """Return the node that computes a value, before views of it were taken."""
        node = self.of(value)
        while node is not None and _is_view(node):
            node = self.of(node.args[0])
        return node


class _PathStep(NamedTuple):
    """A node, and the position of its argument that the path comes from."""

    node: Node
    place: int


@dataclass(frozen=True)
class _Total:
    """A sum of exponentials: their node, and the dimensions that are summed over."""

    exponentials: Node
    dims: tuple[int, ...]


def _softmax_in_place_of(node: Node, graph: _Rewriting) -> list[Node] | None:
    """Return the nodes that compute a node's result by a softmax; None if it is none."""
    if node.kwargs or len(node.args) != 2:
        before = graph.of(node.args[0]) if node.operation == "exp" else None
        if before is None or before.operation != "log_softmax":
            return None
        return [_call("softmax", before.args[0], before.args[1], node)]
    if node.operation == "sub":
        return _log_softmax(node, graph)
    return _quotient(node, graph) if node.operation == "div" else None


def _log_softmax(node: Node, graph: _Rewriting) -> list[Node] | None:
    x, subtracted = node.args
    log = graph.without_views(subtracted)
    if log is None or not isinstance(x, Ref):
        return None
    if log.operation == "logsumexp" and graph.same_value(log.args[0], x):
        dims = _dims(log.args[1], len(node.shape))
    else:
        total = _total(log.args[0], graph) if log.operation == "log" else None
        if total is None or not graph.same_value(total.exponentials.args[0], x):
            return None
        dims = total.dims
    if len(dims) != 1 or not _is_kept(graph.of(subtracted), node, dims):
        return None
    return [_call("log_softmax", _without_maximum(x, dims, graph), dims[0], node)]


def _quotient(node: Node, graph: _Rewriting) -> list[Node] | None:
    total = _total(node.args[1], graph)
    if total is None:
        return None
    exponentials = total.exponentials
    logits = _without_maximum(exponentials.args[0], total.dims, graph)
    numerator = graph.without_views(node.args[0])
    if numerator is not None and graph.same(numerator, exponentials):
        kept = _is_kept(graph.of(node.args[1]), node, total.dims)
        plain = kept and numerator.shape == node.shape == exponentials.shape
        return _over(logits, total.dims, exponentials, node.name) if plain else None
    path = _path(node.args[0], exponentials, graph)
    if not path or not _sums_over(path, total, graph.of(node.args[1])):
        return None
    weights = f"{node.name}_weights"
    return [*_over(logits, total.dims, exponentials, weights), *_again(path, weights, node.name)]


def _total(value: object, graph: _Rewriting) -> _Total | None:
    """Read a value as a sum of exponentials over some of their dimensions, but the first."""
    node = graph.without_views(value)
    if node is None or node.operation != "sum" or node.kwargs or not node.args[1:]:
        return None
    exponentials = graph.of(node.args[0])
    if exponentials is None or exponentials.operation != "exp":
        return None
    dims = _dims(node.args[1], len(exponentials.shape))
    adjacent = dims == tuple(range(dims[0], dims[-1] + 1)) if dims else False
    fixed = all(exponentials.shape[dim] is not None for dim in dims)
    return _Total(exponentials, dims) if adjacent and fixed else None


def _dims(dims: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    listed = [dims] if isinstance(dims, int) else dims or ()
    return tuple(sorted(dim % ndim for dim in listed))


def _is_kept(statistic: Node | None, node: Node, dims: Iterable[int]) -> bool:
    """Tell whether a statistic lines up with a node: of its sizes, but 1 in these dimensions."""
    sizes = tuple(1 if dim in dims else size for dim, size in enumerate(node.shape))
    return statistic is not None and statistic.shape in (sizes, node.shape)


def _without_maximum(logits: Ref, dims: tuple[int, ...], graph: _Rewriting) -> Ref:
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


def _path(value: object, exponentials: Node, graph: _Rewriting) -> list[_PathStep]:
    """List the steps from the exponentials to a sum of their products with other values.

    Views, one product and what sums it; [] for anything else.
    """
    path: list[_PathStep] = []
    node = graph.of(value)
    while node is not None and not graph.same(node, exponentials):
        sides = [i for i, arg in enumerate(node.args) if _leads_to(arg, exponentials, graph)]
        place = sides[0] if node.operation == "mul" and len(sides) == 1 else 0
        passes = _is_view(node) or node.operation in ("sum", *_PRODUCTS)
        if not passes or (place == 0 and len(sides) > 1):
            return []
        path.insert(0, _PathStep(node, place))
        node = graph.of(node.args[place])
    products = [step for step in path if step.node.operation in _PRODUCTS]
    return path if node is not None and len(products) == 1 else []


def _is_view(node: Node) -> bool:
    """Tell whether an operation only adds or merges dimensions, as [:, None] does by two."""
    whole = node.operation == "slice" and node.args[2:] in ((), (0,), (0, _END))
    return whole or node.operation in _VIEWS


def _leads_to(value: object, exponentials: Node, graph: _Rewriting) -> bool:
    node = graph.without_views(value)
    return node is not None and graph.same(node, exponentials)


def _sums_over(path: list[_PathStep], total: _Total, denominator: Node | None) -> bool:
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
    over = _dims(sums[0].args[1], len(product.shape))
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
    aten, (flat, soft) = torch.ops.aten, (f"{name}_flat", f"{name}_softmax")
    shape = (*like.shape[:first], None, *like.shape[last + 1 :])
    flatten = replace(
        *(like,),
        name=flat,
        operation="flatten",
        target=aten.flatten.using_ints,
        args=(logits, first, last),
        shape=shape,
    )
    unflatten = replace(
        *(like,),
        name=name,
        operation="unflatten",
        target=aten.unflatten.int,
        args=(Ref(soft), first, [like.shape[dim] for dim in dims]),
    )
    return [flatten, _call("softmax", Ref(flat), first, replace(flatten, name=soft)), unflatten]


def _call(operation: str, x: Ref, dim: int, like: Node) -> Node:
    target = getattr(torch.ops.aten, operation).int
    return replace(like, operation=operation, target=target, args=(x, dim), kwargs={}, item=None)


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
