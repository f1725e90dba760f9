"""Finds batch axes by what operations are known to do, without running the model.

Follows samples from the inputs on. An operation that copies entries is run on numbers of samples in
the place of values: it shows where it puts each one. Of the others `batch_dims` knows which keep
samples apart. A model of such operations alone computes every sample by itself, whatever its
numbers; of any other model nothing is said here, and `batch_axes` probes it with NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..graph.analysis import find_sources
from ..graph.batch_dims import batch_dims
from ..graph.inputs import Inputs
from ..graph.ir import Graph, Node, Ref, refs
from ..graph.ops import SHAPES_ONLY
from ..graph.prune_rules import Shape
from .batch_axes import BatchAxis

# Of the batch that is followed: a number that sizes beside the batch's are seldom divisible by.
_SAMPLES = 11


@dataclass(frozen=True)
class _Layout:
    """The shape of a value for some samples, and where these are; None if it holds none."""

    shape: tuple[int, ...]
    axis: BatchAxis | None

    def numbered(self) -> Tensor:
        """Return the number of the sample in the place of each entry; nothing is allocated."""
        if self.axis is None:
            return torch.zeros((), dtype=torch.int8, device="cpu").expand(self.shape)
        at, outer = self.axis.axis, self.axis.outer
        rest = self.shape[at] // (outer * _SAMPLES)
        numbers = torch.arange(_SAMPLES, dtype=torch.int8, device="cpu")
        line = numbers.repeat_interleave(rest).repeat(outer)
        return line.reshape(-1, *[1] * (len(self.shape) - at - 1)).expand(self.shape)


def sample_axes(
    graph: Graph, inputs: Inputs, state: Mapping[str, Tensor]
) -> Mapping[str, BatchAxis | None] | None:
    """Find the batch axis of each value, if the operations are known to keep samples apart.

    Args:
        graph: The operations of a model.
        inputs: A batch of the user's; shapes alone count.
        state: Parameters and buffers, by value name; shapes alone count.

    Returns:
        Value name -> batch axis, None for values that are the same for all samples. None in the
        place of them all, where some operation is not known, or does mix samples.

    Example:
        Of x.softmax(1) @ w each value has batch axis 0; of x.softmax(0) @ w nothing is said.
    """
    if not graph.any_batch:
        return None
    followed = _Followed(graph, inputs, state)
    for node in graph.nodes:
        if not followed.add(node):
            return None
    layouts, dependent = followed.layouts, set(find_sources(graph))
    output = layouts[graph.output]
    if output.axis != BatchAxis() or output.shape[0] != _SAMPLES:
        return None
    for node in graph.nodes:
        if node.floating and not dependent.isdisjoint(node.inputs):
            dependent.add(node.name)
    axes = {name: BatchAxis() for name in graph.inputs.values()}
    found = {n.name: layouts[n.name].axis if n.name in dependent else None for n in graph.nodes}
    return {**axes, **found}


class _Followed:
    """The values of a graph as far as its operations were followed.

    Attributes:
        layouts: Tensor -> its layout.
        numbers: What is no tensor, such as a size -> its value for these samples.
        shapes: Tensor -> its shape, with None where a size follows the batch size.
    """

    def __init__(self, graph: Graph, inputs: Inputs, state: Mapping[str, Tensor]) -> None:
        self.layouts: dict[str, _Layout] = {}
        self.numbers: dict[str, Any] = {}
        self.shapes: dict[str, Shape] = {}
        for name, value in {**state, **graph.constants}.items():
            if isinstance(value, Tensor):
                self.layouts[name] = _Layout(tuple(value.shape), None)
                self.shapes[name] = tuple(value.shape)
            else:
                self.numbers[name], self.shapes[name] = value, ()
        for label, name in graph.inputs.items():
            shape = tuple(inputs.tensors[label].shape)
            if label in inputs.batched:
                self.layouts[name] = _Layout((_SAMPLES, *shape[1:]), BatchAxis())
                self.shapes[name] = (None, *shape[1:])
            else:
                self.layouts[name], self.shapes[name] = _Layout(shape, None), shape
        self._of_batch = set[str]()  # numbers that depend on the number of samples
        self._found_before = dict[tuple[str, str], _Layout | None]()
        self._counted = set[str]()  # copies of torch.arange(number of samples)

    def add(self, node: Node) -> bool:
        """Follow samples through a node; False if it is not known to keep them apart."""
        self.shapes[node.name] = node.shape
        if node.operation == "sym_size":
            x, dim = node.args
            self.numbers[node.name] = self.layouts[x.name].shape[dim]
            if self.shapes[x.name][dim] is None:
                self._of_batch.add(node.name)
        elif node.inputs and not node.shape and self.numbers.keys() >= set(node.inputs):
            self.numbers[node.name] = node.run(self.numbers)
            if not self._of_batch.isdisjoint(node.inputs):
                self._of_batch.add(node.name)
        elif node.operation == "arange" and self._counts_samples(node):
            self._counted.add(node.name)
            self.layouts[node.name] = _Layout((_SAMPLES,), BatchAxis())
        else:
            layout = self._layout(node) if self._is_size_alone(node) else None
            if layout is None:
                return False
            self.layouts[node.name] = layout
        return True

    def _counts_samples(self, node: Node) -> bool:
        """Tell whether a node is torch.arange(n) with n the number of samples."""
        *start, end = node.args
        counts = isinstance(end, Ref) and self.numbers.get(end.name) == _SAMPLES
        return counts and node.shape == (None,) and not node.merged and start in ([], [0])

    def _is_size_alone(self, node: Node) -> bool:
        """Tell whether the number of samples is a size of the result, if a node reads it at all."""
        read = self._of_batch.intersection(node.inputs)
        others = [arg for arg in node.args if not isinstance(arg, (list, tuple))]
        elsewhere = {ref.name for ref in refs([*others, dict(node.kwargs)])}
        return not read or (node.operation in _SIZED and read.isdisjoint(elsewhere))

    def _layout(self, node: Node) -> _Layout | None:
        sampled = {
            name: layout.axis
            for name in node.inputs
            if (layout := self.layouts.get(name)) and layout.axis
        }
        if not self._counted.isdisjoint(node.inputs):
            return self._counted_layout(node)
        if node.operation in _FILLS:
            return self._filled(node)
        if not sampled:
            return self._same_for_all(node)
        # Of a merged batch axis a copy may divide what it is merged with in another way.
        merged = node.merged or any(
            self.layouts[name].shape[axis.axis] != _SAMPLES for name, axis in sampled.items()
        )
        if node.operation not in _COPIES:
            return self._paired(node, sampled)
        return (None if merged else self._paired(node, sampled)) or self._copied(node)

    def _paired(self, node: Node, sampled: Mapping[str, BatchAxis]) -> _Layout | None:
        """Follow an operation of which it is known what runs along with the batch axis."""
        (outer, *others) = {axis.outer for axis in sampled.values()}
        of_each = {name for name in node.inputs if None in self.shapes[name]}
        for dim, size in enumerate(node.shape):
            dims = batch_dims(node, dim, self.shapes) if size is None and not others else None
            if not dims or not dims.keys() >= of_each:
                continue
            if all(dims[name] == axis.axis for name, axis in sampled.items()):
                sizes = {self.layouts[name].shape[dims[name]] for name in sampled}
                return self._with_size(node, dim, sizes, outer)
        return None

    def _with_size(self, node: Node, dim: int, sizes: set[int], outer: int) -> _Layout | None:
        """Return a layout with the one size along the batch axis that all inputs have."""
        shape = (*node.shape[:dim], *sizes, *node.shape[dim + 1 :])
        known = tuple(size for size in shape if size is not None)
        return _Layout(known, BatchAxis(dim, outer)) if len(known) == len(node.shape) else None

    def _counted_layout(self, node: Node) -> _Layout | None:
        """Follow torch.arange(samples), whose copies may serve as an index of samples."""
        if node.operation != "index" and node.operation in _COPIES:
            layout = self._copied(node) if self._counted.issuperset(node.inputs) else None
            if layout is not None:
                self._counted.add(node.name)
            return layout
        if node.operation != "index" or None in node.args[1]:
            return None
        x, counted, *others = (ref.name for ref in (node.args[0], *node.args[1]))
        if x in self._counted or x not in self.layouts:
            return None
        first = self.layouts[x].axis == BatchAxis() and self.layouts[x].shape[0] == _SAMPLES
        return self._indexed(node, x, counted, others) if first else None

    def _indexed(self, node: Node, x: str, counted: str, others: list[str]) -> _Layout | None:
        """Follow x[counted, ...], which reads of each sample; an index is the same sample's.

        An index that is another sample's would have samples along a dimension of its own, and the
        result two sizes that follow their number.
        """
        if x in others or not self._counted.isdisjoint(others):
            return None
        shapes = {name: self.layouts[name].shape for name in others}
        values = {k: torch.zeros(s, dtype=torch.long, device="cpu") for k, s in shapes.items()}
        values |= {x: self.layouts[x].numbered(), counted: self.layouts[counted].numbered().long()}
        return self._found(node, node.run({**self.numbers, **values}))

    def _filled(self, node: Node) -> _Layout | None:
        """Follow a value with one number in all its entries."""
        sizes = next((arg for arg in node.args if isinstance(arg, (list, tuple))), None)
        if sizes is None:  # it is shaped as its first input, if it has one
            return self.layouts[node.inputs[0]] if node.inputs else _Layout((), None)
        shape = tuple(self.numbers[n.name] if isinstance(n, Ref) else n for n in sizes)
        if node.merged or node.shape.count(None) != 1:  # any batch axis would do
            return _Layout(shape, None)
        return _Layout(shape, BatchAxis(node.shape.index(None)))

    def _same_for_all(self, node: Node) -> _Layout | None:
        """Follow a value that does not depend on samples; it may be repeated for each of them."""
        if None not in node.shape:
            of_each = any(None in self.shapes[name] for name in node.inputs)
            return None if of_each else _Layout(tuple(n for n in node.shape if n is not None), None)
        dim = node.shape.index(None)
        if node.merged or node.shape.count(None) != 1 or node.operation not in _EXPANDS:
            return None
        known = tuple(_SAMPLES if size is None else size for size in node.shape)
        return _Layout(known, BatchAxis(dim))

    def _copied(self, node: Node) -> _Layout | None:
        """Run an operation on the numbers of samples, and find them in its result."""
        if node.operation in _REPEATS and self._of_batch.intersection(node.inputs):
            return None  # as often as there are samples
        values: dict[str, Any] = dict(self.numbers)
        for name in node.inputs:
            layout = self.layouts.get(name)
            if layout is None:
                continue
            if (layout.axis is None) != (node.operation in _INDEXED and name != node.inputs[0]):
                return None  # what is the same for all is copied, or each sample has its index
            values[name] = layout.numbered()
            if layout.axis is None:
                values[name] = values[name].long()
        if node.operation == "squeeze" and self._squeezes_one_sample(node):
            return None
        # Blocks of a model repeat what they do, and copies of large values take long.
        known = {**self.numbers, **self.layouts}
        key = node.operation, repr((node.resolve_args(known), node.resolve_kwargs(known)))
        if key not in self._found_before:
            self._found_before[key] = self._found(node, node.run(values))
        return self._found_before[key]

    def _found(self, node: Node, result: Tensor) -> _Layout | None:
        """Return the layout of a value from the numbers of samples in its entries."""
        axis = _axis_of(result)
        if axis is None:
            return None
        expected = [None if at == axis.axis else size for at, size in enumerate(result.shape)]
        return _Layout(tuple(result.shape), axis) if expected == list(node.shape) else None

    def _squeezes_one_sample(self, node: Node) -> bool:
        """Tell whether a batch axis would be gone if there were one sample."""
        shape = self.shapes[node.inputs[0]]
        given = node.args[1] if len(node.args) > 1 else range(len(shape))
        return any(shape[dim] is None for dim in ([given] if isinstance(given, int) else given))


def _axis_of(numbers: Tensor) -> BatchAxis | None:
    """Find the one batch axis of a value from the numbers of samples in its entries."""
    for dim, stride in enumerate(numbers.stride()):
        if stride == 0 and numbers.shape[dim] > 1:  # the same all along: one entry tells
            numbers = numbers.narrow(dim, 0, 1)
    for dim, size in enumerate(numbers.shape):
        line = numbers.movedim(dim, -1).reshape(-1, size)[:1]
        rest = int((line != 0).int().argmax())
        if rest == 0 or size % (rest * _SAMPLES):
            continue
        pattern = torch.arange(size, device="cpu") // rest % _SAMPLES
        if bool((numbers.movedim(dim, -1) == pattern).all()):
            return BatchAxis(dim, size // (rest * _SAMPLES))
    return None


# One number in all entries, whatever their number.
_FILLS = SHAPES_ONLY | frozenset(["zeros", "ones", "full", "scalar_tensor", "empty"])
_REPEATS = frozenset(["repeat", "tile"])
_EXPANDS = frozenset(["expand", "expand_as"]) | _REPEATS

# What may read the number of samples, as a size of the result.
_SIZED = _FILLS | _EXPANDS | frozenset(["view", "reshape", "_unsafe_view"])

# Operations that copy entries of their first argument, or of the list that it is; which ones does
# not depend on numbers, unless an index says so.
_INDEXED = frozenset(["index", "index_select"])
_NAMES = """
view reshape _unsafe_view flatten squeeze unsqueeze permute transpose t movedim swapaxes contiguous
clone alias slice select narrow cat stack expand expand_as repeat tile flip roll rot90 chunk split
split_with_sizes unsafe_split unbind diagonal unfold repeat_interleave
"""
_COPIES = frozenset(_NAMES.split()) | _INDEXED
