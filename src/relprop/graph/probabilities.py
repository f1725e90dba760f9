"""Values made of probabilities: of sigmoids and softmaxes alone, before any layer.

An average of two softmaxes, a product of sigmoids, a mixture of experts give probabilities again,
and no scores. Takes a graph and which of its values depend on the input. Must not know recipes or
rules.
"""

from collections.abc import Mapping
from typing import NamedTuple

from .analysis import dependent_inputs
from .final_functions import final_function
from .ir import Graph, Node, Ref
from .ops import Kind, Operation, Principle, operation_of

# With weights they give scores. With none, as of two values made of probabilities, they mix these.
_MATRIX_PRODUCTS: frozenset[Kind | None] = frozenset(["matmul", "linear", "convolution"])
_ALWAYS_SCORES: frozenset[Kind | None] = frozenset(["normalisation", "recurrent", "attention"])


class _Sum(NamedTuple):
    """A weighted sum: the value whose entries are added up, and along which axes."""

    of: str
    axes: frozenset[int]


def find_made_of_probabilities(graph: Graph, dependent: set[str]) -> set[str]:
    """Find the values that sigmoids and softmaxes alone are combined to.

    They are combined entry by entry, multiplied, added up, chosen from, normalised. A weighted sum
    over what the numbers stand for, such as a linear layer or an expected value, gives scores; one
    over several models that were stacked gives probabilities.

    Args:
        graph: The model's operations.
        dependent: Names of the values that depend on the model's input.
    """
    search = _Search({node.name: node for node in graph.nodes}, dependent)
    for node in graph.nodes:
        if node.name in dependent:
            search.add(node)
    return search.made


class _Search:
    """Goes through the operations in the order of running."""

    def __init__(self, nodes: Mapping[str, Node], dependent: set[str]) -> None:
        self._nodes = nodes
        self._dependent = dependent
        self.made = set[str]()
        self._weighted = set[str]()  # those of which each entry has a weight: a tensor

    def add(self, node: Node) -> None:
        """Add the result of a node if it is made of probabilities."""
        if final_function(node, self._nodes):
            self.made.add(node.name)
            return
        inputs = dependent_inputs(node, self._dependent)
        if not inputs or not self.made.issuperset(inputs):
            return
        operation = operation_of(node)
        kind = operation.kind if operation else None
        weighs = any(name not in self._dependent for name in node.inputs)
        has_weights = not self._weighted.isdisjoint(inputs)
        if kind == "product":
            has_weights |= weighs
        elif kind in _ALWAYS_SCORES:
            return
        elif (kind in _MATRIX_PRODUCTS and weighs) or (has_weights and not _keeps_axes(operation)):
            if not self._mixes(node):
                return
            has_weights = False
        self.made.add(node.name)
        if has_weights:
            self._weighted.add(node.name)

    def _mixes(self, node: Node) -> bool:
        """Tell whether a weighted sum runs over what was stacked, or beside a softmax's classes."""
        summed = self._summed(node)
        inner = self._nodes.get(summed.of) if summed else None
        while summed and inner is not None:
            if inner.operation == "stack":
                return summed.axes == {_axis(inner, 0)}
            function = final_function(inner, self._nodes)
            if function is not None and function.name.endswith("softmax"):
                return _axis(inner, -1) not in summed.axes
            inputs = dependent_inputs(inner, self._dependent)
            before = [self._nodes.get(name) for name in inputs]
            if not _keeps_entries(operation_of(inner)) or len(before) != 1 or before[0] is None:
                return False
            inner = before[0]
        return False

    def _summed(self, node: Node) -> _Sum | None:
        """Find what a weighted sum adds up; None where that is not known."""
        operation, args = node.operation, node.args
        if operation == "einsum":
            return self._summed_by_letters(str(args[0]), args[1:])
        places = [i for i, arg in enumerate(args[:2]) if self._is_made(arg)]
        if operation not in ("sum", "mean", "matmul", "mv", "tensordot") or len(places) != 1:
            return None
        name, rank = args[places[0]].name, len(self._nodes[args[places[0]].name].shape)
        if operation == "tensordot":
            axes = args[2 + places[0]]
        elif operation in ("sum", "mean"):
            given = args[1] if len(args) > 1 and args[1] is not None else range(rank)
            axes = [given] if isinstance(given, int) else given
        else:
            axes = [-1] if places[0] == 0 else [max(rank - 2, 0)]
        return _Sum(name, frozenset(axis % rank for axis in axes))

    def _summed_by_letters(self, equation: str, factors: tuple[object, ...]) -> _Sum | None:
        terms, _, result = equation.replace(" ", "").partition("->")
        for letters, factor in zip(terms.split(","), factors, strict=False):
            if isinstance(factor, Ref) and self._is_made(factor) and "." not in letters:
                axes = (i for i, letter in enumerate(letters) if letter not in result)
                return _Sum(factor.name, frozenset(axes))
        return None

    def _is_made(self, argument: object) -> bool:
        return isinstance(argument, Ref) and argument.name in self.made


def _keeps_axes(operation: Operation | None) -> bool:
    """Tell whether an operation adds up nothing: it works by entries, or moves them."""
    if operation is None:
        return False
    return operation.elementwise or operation.principle in (
        Principle.ACTIVATION,
        Principle.SELECTION,
    )


def _keeps_entries(operation: Operation | None) -> bool:
    """Tell whether each entry of the result is of the entry at its place."""
    if operation is None:
        return False
    return operation.elementwise or operation.principle is Principle.ACTIVATION


def _axis(node: Node, otherwise: int) -> int:
    """Return the axis that a node names by its second argument."""
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", otherwise)
    return int(axis) % len(node.shape)
