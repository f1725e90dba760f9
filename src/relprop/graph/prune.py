"""Narrowing: a model computed at those positions alone that its output needs.

A classifier that reads one token of its last layer needs no other there but as keys and values. A
value is narrowed where all that read it read the same positions; others are cut on the way into
what is narrowed. Positions keep their dimension, so that operations stay as they are.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .ir import Graph, Node, Ref
from .prune_rules import SIZED, Shape, Shapes, pointwise_dims

_END = 2**63 - 1
# Without one of these among what is narrowed, it would save nothing.
_WORTH_IT = frozenset(["linear", "matmul", "bmm", "scaled_dot_product_attention"])


@dataclass(frozen=True)
class Positions:
    """Positions along a dimension: the same ones of all samples, or one of each.

    index  name of the value that says which of each, (batch,); None: `positions` does of all
    """

    dim: int
    positions: range = range(1)
    index: str | None = None


def prune(graph: Graph, given: Mapping[str, Any], batched: frozenset[str]) -> Graph:
    """The graph at the positions that its output needs; the same where there is nothing to save.

    given    all values that no operation makes, by name
    batched  names of those whose first dimension runs over the samples
    """
    if not graph.any_batch:
        return graph
    shapes = {name: _shape(value, name in batched) for name, value in given.items()}
    shapes |= {node.name: node.shape for node in graph.nodes}
    wanted = _wanted(graph, shapes)
    if not any(wanted.get(n.name) and n.operation in _WORTH_IT for n in graph.nodes):
        return graph
    return _Narrowing(graph, given, shapes, wanted).run()


def gathers_per_sample(graph: Graph) -> bool:
    """Whether a narrowed graph takes another position of each sample."""
    return any(node.target is _of_each for node in graph.nodes)


def _shape(value: Any, batched: bool) -> Shape:
    shape: Shape = tuple(getattr(value, "shape", ()))
    return (None, *shape[1:]) if batched else shape


# ---- what is needed ------------------------------------------------------------------------------


def _wanted(graph: Graph, shapes: Shapes) -> dict[str, Positions | None]:
    """Where each value is needed, from the output back; None: everywhere."""
    nodes = {node.name: node for node in graph.nodes}
    asked: dict[str, set[Positions | None]] = defaultdict(set, {graph.output: {None}})
    wanted: dict[str, Positions | None] = {}
    for node in reversed(graph.nodes):
        if node.name not in asked:
            continue
        (at,) = asked[node.name] if len(asked[node.name]) == 1 else (None,)
        reads = _reads(node, at, nodes, shapes) if at else None
        wanted[node.name] = at if reads is not None else None
        reads = _start(node, nodes, shapes) if reads is None else reads
        for name in node.inputs:
            asked[name].add(reads.get(name))
    return wanted


def _reads(
    node: Node, at: Positions, nodes: Mapping[str, Node], shapes: Shapes
) -> dict[str, Positions | None] | None:
    """Where the inputs are read for a result at some positions; None if it must be whole."""
    dims = pointwise_dims(node, at.dim, shapes)
    if dims is None:
        return None
    reads: dict[str, Positions | None] = {name: replace(at, dim=dim) for name, dim in dims.items()}
    if at.index is None:
        return reads
    serve_all = {name for name in dims if _serves_all(shapes[name], node.shape)}
    by_sample = [name for name in (node.name, *dims) if name not in serve_all]
    if not all(_holds_samples_first(name, nodes, shapes) for name in by_sample):
        return None
    return {name: None if name in serve_all else read for name, read in reads.items()}


def _serves_all(shape: Shape, result: Shape) -> bool:
    """Whether a value is the same for all samples of a result: each takes its own position."""
    return len(shape) == len(result) and shape[0] == 1 and None not in shape


def _holds_samples_first(name: str, nodes: Mapping[str, Node], shapes: Shapes) -> bool:
    """Whether the first dimension runs over samples, and over nothing else."""
    shape, merged = shapes[name], name in nodes and nodes[name].merged
    return shape[:1] == (None,) and None not in shape[1:] and not merged


def _start(node: Node, nodes: Mapping[str, Node], shapes: Shapes) -> dict[str, Positions | None]:
    """Where an operation reads its first argument, if it takes few positions of it."""
    if node.operation not in _TAKES or not isinstance(node.args[0], Ref) or node.kwargs:
        return {}
    x = node.args[0].name
    at = _TAKES[node.operation](node, nodes, shapes)
    return {x: at} if at else {}


def _of_select(node: Node, nodes: Mapping[str, Node], shapes: Shapes) -> Positions | None:
    x, dim, index = node.args
    shape = shapes[x.name]
    size = shape[dim]
    if size is None or size < 2 or not isinstance(index, int):
        return None
    return Positions(dim % len(shape), range(size)[index % size :][:1])


def _of_slice(node: Node, nodes: Mapping[str, Node], shapes: Shapes) -> Positions | None:
    (x, *given), defaults = node.args, [0, None, None, 1]
    dim, start, end, step = given + defaults[len(given) :]
    shape = shapes[x.name]
    size = shape[dim]
    if size is None or any(isinstance(bound, Ref) for bound in (start, end)):
        return None
    some = range(size)[start:end:step]
    return Positions(dim % len(shape), some) if 0 < 2 * len(some) <= size else None


def _of_index(node: Node, nodes: Mapping[str, Node], shapes: Shapes) -> Positions | None:
    """Of x[arange(batch), index]."""
    x, places = node.args
    if len(places) != 2 or None in places or shapes[x.name][1] in (None, 1):
        return None
    each, index = (place.name for place in places)
    one_of_each = all(_holds_samples_first(name, nodes, shapes) for name in (x.name, each, index))
    counted = _counts(nodes.get(each)) and len(shapes[index]) == 1
    return Positions(1, index=index) if one_of_each and counted else None


def _counts(node: Node | None) -> bool:
    """Whether it is an arange from 0 in steps of 1."""
    return node is not None and node.operation == "arange" and node.args[:-1] in ((), (0,))


_TAKES = {"select": _of_select, "slice": _of_slice, "index": _of_index}


# ---- the graph of that ---------------------------------------------------------------------------


class _Narrowing:
    """Puts the nodes of the narrowed graph in order: each after all that it reads."""

    def __init__(
        self,
        graph: Graph,
        given: Mapping[str, Any],
        shapes: Shapes,
        wanted: Mapping[str, Positions | None],
    ) -> None:
        self._graph = graph
        self._given = given
        self._shapes = shapes
        self._wanted = wanted
        self._nodes = {node.name: node for node in graph.nodes}
        self._placed: dict[str, Node] = {}

    def run(self) -> Graph:
        """The narrowed graph."""
        for node in self._graph.nodes:
            if node.name in self._wanted:
                self._place(node.name)
        found = replace(self._graph, nodes=tuple(self._placed.values()))
        return replace(found, nodes=tuple(found.nodes_to_compute(found.output, self._given)))

    def _place(self, name: str) -> None:
        if name not in self._placed:
            self._placed[name] = self._rewritten(self._nodes[name], self._wanted[name])

    def _rewritten(self, node: Node, at: Positions | None) -> Node:
        if at is None:
            return self._of_narrowed(node)
        dims = pointwise_dims(node, at.dim, self._shapes)
        assert dims is not None
        refs = {name: Ref(name) for name in node.inputs}
        refs |= {name: Ref(self._at(name, replace(at, dim=dim))) for name, dim in dims.items()}
        args, kwargs = node.resolve_args(refs), node.resolve_kwargs(refs)
        if node.operation in SIZED and args[1][at.dim] != -1:
            args = (args[0], _with(args[1], at.dim, len(at.positions)), *args[2:])
        shape = tuple(_with(node.shape, at.dim, len(at.positions)))
        return replace(node, args=args, kwargs=kwargs, shape=shape)

    def _of_narrowed(self, node: Node) -> Node:
        """What takes positions of a value that holds no others takes all that there are."""
        for name, at in _start(node, self._nodes, self._shapes).items():
            if at is None or self._wanted.get(name) != at:
                continue
            if node.operation == "slice":
                return replace(node, args=(Ref(name), at.dim, 0, _END))
            target = torch.ops.aten.select.int
            return replace(node, operation="select", target=target, args=(Ref(name), at.dim, 0))
        return node

    def _at(self, name: str, at: Positions) -> str:
        """The name of a value at these positions: narrowed, or cut."""
        if self._wanted.get(name) == at:
            return name
        where = f"of each {at.index}" if at.index else str(at.positions)
        cut = f"{name} [{at.dim}, {where}]"
        if cut not in self._placed:
            if at.index:  # which a model's code may compute after what is cut
                for node in self._graph.nodes_to_compute(at.index, {**self._given, **self._placed}):
                    self._place(node.name)
            self._placed[cut] = self._cut(cut, name, at)
        return cut

    def _cut(self, cut: str, name: str, at: Positions) -> Node:
        shape = _with(self._shapes[name], at.dim, len(at.positions))
        bounds = at.positions.start, at.positions.stop, at.positions.step
        like = self._nodes.get(name)
        return Node(
            name=cut,
            operation="gather" if at.index else "slice",
            target=_of_each if at.index else torch.ops.aten.slice.Tensor,
            args=(Ref(name), at.dim, *([Ref(at.index)] if at.index else bounds)),
            kwargs={},
            module=like.module if like else "",
            type=like.type if like else "",
            call=like.call if like else 0,
            shape=tuple(_with(shape, 0, None) if at.index else shape),
            floating=like.floating if like else self._given[name].is_floating_point(),
            merged=bool(like and like.merged),
        )


def _of_each(value: Tensor, dim: int, index: Tensor) -> Tensor:
    """Of each sample the one position that `index` (batch,) says, of a dimension that remains."""
    index = torch.where(index < 0, index + value.shape[dim], index).long()
    shape = [index.shape[0], *value.shape[1:]]
    places = index.reshape(-1, *[1] * (value.ndim - 1)).expand(_with(shape, dim, 1))
    return value.expand(shape).gather(dim, places)


def _with(sizes: Any, place: int, size: int | None) -> list[Any]:
    """The same with one of them replaced."""
    found = list(sizes)
    found[place] = size
    return found
