"""Dead-position elimination: compute only the positions (such as tokens) the output depends on.

Takes a graph and the values that it starts from; gives a graph with the same output. Knows
operations and shapes; must not know rules or recipes.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .ir import Graph, Node, Ref
from .prune_rules import SIZED, Shape, Shapes, pointwise_dims
from .taken_positions import TO_THE_END, Positions, is_batch_first, positions_taken

# An example. A text classifier reads the first of 512 tokens; sizes are (batch, tokens, channels):
#
#     before                                    after
#                                               x'     = slice(x, 1, 0, 1)     (n, 1, 768)
#     h      = linear(x, w)      (n, 512, 768)  h      = linear(x', w)         (n, 1, 768)
#     y      = gelu(h)           (n, 512, 768)  y      = gelu(h)               (n, 1, 768)
#     token  = select(y, 1, 0)   (n, 768)       token  = select(y, 1, 0)       (n, 768)
#     scores = linear(token, v)  (n, 10)        scores = linear(token, v)      (n, 10)
#
# From the output back: `select` reads position 0 of dimension 1 of y. `gelu` is pointwise along
# that dimension, so position 0 of h is enough, and `linear` likewise. Nothing computes x, so it is
# sliced. In attention, queries are pruned like h; keys and values are read at all positions, by
# every query. So of a transformer's last layer keys and values alone remain whole.
#
# The result is exact: each operation that runs at fewer positions computes these from the same
# numbers as before. The positions that are left out have no path to the output, so their gradient
# and their relevance are zero. (A rule that mixes positions, such as an epsilon relative to their
# mean, is not pruned: explanation/build.py sees to that.)
#
# Values keep the pruned dimension, with fewer entries, so that every operation keeps its arguments.
# A value is pruned only if all its consumers read the same positions. Where one reads others, the
# value stays whole, and a slice of it is inserted for each pruned consumer.

# Only these cost enough that leaving out positions pays for the operations that are inserted.
_COSTLY = frozenset(["linear", "matmul", "bmm", "scaled_dot_product_attention"])


def prune(graph: Graph, initial_values: Mapping[str, Any], batched: frozenset[str]) -> Graph:
    """Remove the positions that the output does not depend on.

    Args:
        graph: A graph.
        initial_values: All values that no node computes, by name; only shapes and dtypes count.
        batched: Names of those whose first dimension runs over the samples.

    Returns:
        A graph with the same output; `graph` itself where there is nothing to save.
    """
    if not graph.any_batch:
        return graph  # sizes of the one input could not be told from the batch size
    shapes = {name: _shape(value, name in batched) for name, value in initial_values.items()}
    if graph.sizes is not None:  # those of nodes are of the capture as well
        for label, shape in graph.sizes.captured.items():
            first = None if label in graph.sizes.batched else shape[0] if shape else None
            shapes[graph.inputs[label]] = (first, *shape[1:]) if shape else ()
    shapes |= {node.name: node.shape for node in graph.nodes}
    needed = _needed_positions(graph, shapes)
    if not any(needed.get(n.name) and n.operation in _COSTLY for n in graph.nodes):
        return graph
    return _Pruning(graph, initial_values, shapes, needed).run()


def gathers_per_sample(graph: Graph) -> bool:
    """Tell whether a pruned graph takes a position of its own for each sample."""
    return any(node.target is _take_one_per_sample for node in graph.nodes)


def _shape(value: Any, batched: bool) -> Shape:
    shape: Shape = tuple(getattr(value, "shape", ()))
    return (None, *shape[1:]) if batched else shape


# ---- which positions are needed ------------------------------------------------------------------


def _needed_positions(graph: Graph, shapes: Shapes) -> dict[str, Positions | None]:
    """Find where each value is needed, from the output back.

    Returns:
        Name of a node that the output depends on -> positions; None for all of them.
    """
    nodes = {node.name: node for node in graph.nodes}
    # All that consumers read of a value. Nodes run after those they read, so that in reverse order
    # a node's consumers have been visited before it.
    reads: dict[str, set[Positions | None]] = defaultdict(set)
    reads[graph.output] = reads[graph.scores] = {None}
    needed: dict[str, Positions | None] = {}
    for node in reversed(graph.nodes):
        if node.name not in reads:
            continue  # the output does not depend on it
        (at,) = reads[node.name] if len(reads[node.name]) == 1 else (None,)
        inputs = _input_positions(node, at, nodes, shapes) if at else None
        needed[node.name] = at if inputs is not None else None
        if inputs is None:
            inputs = positions_taken(node, nodes, shapes, graph.sizes is not None)
        for name in node.inputs:
            reads[name].add(inputs.get(name))
    return needed


def _input_positions(
    node: Node, at: Positions, nodes: Mapping[str, Node], shapes: Shapes
) -> dict[str, Positions | None] | None:
    """Find what a node reads of its inputs to compute its result at some positions.

    Returns:
        Input -> the positions that are read of it; an input at None, or left out, is read whole.
        None instead of a mapping if the node cannot be computed at some positions alone.
    """
    dims = pointwise_dims(node, at.dim, shapes)
    if dims is None:
        return None
    inputs: dict[str, Positions | None] = {name: replace(at, dim=dim) for name, dim in dims.items()}
    if at.index is None:
        return inputs
    # One position for each sample can be gathered only along a dimension after the batch's.
    shared = {name for name in dims if _is_shared(shapes[name], node.shape)}
    per_sample = [name for name in (node.name, *dims) if name not in shared]
    if not all(is_batch_first(name, nodes, shapes) for name in per_sample):
        return None
    return {name: None if name in shared else positions for name, positions in inputs.items()}


def _is_shared(shape: Shape, result: Shape) -> bool:
    """Tell whether all samples of a result read one value: each reads its own position of it.

    Such a value stays whole, since two samples may need different positions of it.
    """
    return len(shape) == len(result) and shape[0] == 1 and None not in shape


# ---- the pruned graph ----------------------------------------------------------------------------


class _Pruning:
    """Builds the pruned graph node by node, each after all that it reads."""

    def __init__(
        self,
        graph: Graph,
        initial_values: Mapping[str, Any],
        shapes: Shapes,
        needed: Mapping[str, Positions | None],
    ) -> None:
        self._graph = graph
        self._initial_values = initial_values
        self._shapes = shapes
        self._needed = needed
        self._nodes = {node.name: node for node in graph.nodes}
        self._placed: dict[str, Node] = {}  # the pruned graph so far, in the order of running

    def run(self) -> Graph:
        """Return the pruned graph."""
        for node in self._graph.nodes:
            if node.name in self._needed:
                self._place(node.name)
        pruned = replace(self._graph, nodes=tuple(self._placed.values()))
        # What only computed positions that are gone, such as an arange, is left out.
        results = (pruned.output, pruned.scores)
        slices = [pruned.nodes_to_compute(name, self._initial_values) for name in results]
        needed = {node.name for nodes in slices for node in nodes}
        return replace(pruned, nodes=tuple(node for node in pruned.nodes if node.name in needed))

    def _place(self, name: str) -> None:
        if name not in self._placed:
            self._placed[name] = self._rewritten(self._nodes[name], self._needed[name])

    def _rewritten(self, node: Node, at: Positions | None) -> Node:
        if at is None:
            return self._taking_what_is_left(node)
        dims = pointwise_dims(node, at.dim, self._shapes)
        assert dims is not None
        refs = {name: Ref(name) for name in node.inputs}
        for name, dim in dims.items():
            refs[name] = Ref(self._at(name, replace(at, dim=dim)))
        args, kwargs = node.resolve_args(refs), node.resolve_kwargs(refs)
        if node.operation in SIZED and args[1][at.dim] != -1:
            args = (args[0], _with_size(args[1], at.dim, len(at.positions)), *args[2:])
        shape = tuple(_with_size(node.shape, at.dim, len(at.positions)))
        return replace(node, args=args, kwargs=kwargs, shape=shape)

    def _taking_what_is_left(self, node: Node) -> Node:
        """Rewrite a node that takes positions of a pruned value: it takes all that are left."""
        opened = self._graph.sizes is not None
        for name, at in positions_taken(node, self._nodes, self._shapes, opened).items():
            if at is None or self._needed.get(name) != at:
                continue
            if node.operation == "slice":
                return replace(node, args=(Ref(name), at.dim, 0, TO_THE_END))
            target = torch.ops.aten.select.int
            return replace(node, operation="select", target=target, args=(Ref(name), at.dim, 0))
        return node

    def _at(self, name: str, at: Positions) -> str:
        """Name a value at these positions: itself if it is pruned to them, or a slice of it."""
        if self._needed.get(name) == at:
            return name
        cut = f"{name} [{at.dim}, {f'of each {at.index}' if at.index else at.positions}]"
        if cut not in self._placed:
            if at.index:  # the model may compute the index only after the value that is sliced
                known = {**self._initial_values, **self._placed}
                for node in self._graph.nodes_to_compute(at.index, known):
                    self._place(node.name)
            self._placed[cut] = self._cut(cut, name, at)
        return cut

    def _cut(self, cut: str, name: str, at: Positions) -> Node:
        shape = _with_size(self._shapes[name], at.dim, len(at.positions))
        stop = at.positions.stop
        if at.positions.start < 0 == stop:
            stop = TO_THE_END
        bounds = at.positions.start, stop, at.positions.step
        changes: dict[str, Any] = {
            "name": cut,
            "operation": "gather" if at.index else "slice",
            "target": _take_one_per_sample if at.index else torch.ops.aten.slice.Tensor,
            "args": (Ref(name), at.dim, *([Ref(at.index)] if at.index else bounds)),
            "kwargs": {},
            "shape": tuple(_with_size(shape, 0, None) if at.index else shape),
        }
        if name in self._nodes:
            return replace(self._nodes[name], item=None, **changes)
        floating = self._initial_values[name].is_floating_point()
        return Node(module="", type="", call=0, floating=floating, **changes)


def _take_one_per_sample(value: Tensor, dim: int, index: Tensor) -> Tensor:
    """Take of each sample the position that `index` (batch,) says; `dim` stays, with size 1."""
    index = torch.where(index < 0, index + value.shape[dim], index).long()
    shape = [index.shape[0], *value.shape[1:]]
    indices = index.reshape(-1, *[1] * (value.ndim - 1)).expand(_with_size(shape, dim, 1))
    return value.expand(shape).gather(dim, indices)


def _with_size(sizes: Any, dim: int, size: int | None) -> list[Any]:
    """Return the sizes with one of them replaced."""
    replaced = list(sizes)
    replaced[dim] = size
    return replaced
