"""Comparisons as numbers: where a recipe lets relevance pass one, its result is 1 or 0.

A comparison gives booleans, which hold no relevance. Where a row of the recipe gives it a rule,
x > y becomes the difference u = x - y and the step u > 0, both floating point numbers, for the
operations that compute with the result. As a condition or an index it remains booleans.
Takes a graph and the comparisons; gives a graph that computes the same. Must not know rules.
"""

import math
from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Graph, Node, Ref
from ..graph.ops import COMPARISONS, OPERATIONS, SHAPES_ONLY, Principle

# Who computes with numbers: sums, products and these. A selection takes a condition or an index.
_COPIES = ("to", "_to_copy", "type_as", "cat", "stack")
_MUL, _ADD = torch.ops.aten.mul.Tensor, torch.ops.aten.add.Tensor


@dataclass(frozen=True)
class StepFunction:
    """1 where u > 0, or where u >= 0, and 0 elsewhere."""

    inclusive: bool

    def __call__(self, u: Tensor) -> Tensor:
        dtype = u.dtype if u.is_floating_point() else torch.get_default_dtype()
        return (u >= 0 if self.inclusive else u > 0).to(dtype)


def with_numbers(graph: Graph, names: Container[str]) -> Graph:
    """Let the comparisons of these names give numbers to who computes with them."""
    rewriting = _Rewriting(graph)
    for node in graph.nodes:
        rewriting.add(node, node.name in names)
    return replace(graph, nodes=tuple(rewriting.nodes)) if rewriting.numbers else graph


@dataclass
class _Rewriting:
    """A graph on its way to another one.

    Attributes:
        graph: The graph.
        nodes: The nodes of the new one.
        numbers: Comparison -> its result as numbers.
    """

    graph: Graph
    nodes: list[Node] = field(default_factory=list)
    numbers: dict[str, Ref] = field(default_factory=dict)

    def add(self, node: Node, chosen: bool) -> None:
        """Add a node, or those that take its place."""
        if self._chooses_constants(node):
            self.nodes += self._as_sum(node)
        elif _computes(node):
            self.nodes.append(replace(node, args=self._with_numbers(node.args)))
        else:
            self.nodes.append(node)
        if chosen and node.operation in COMPARISONS and not node.floating:
            self.nodes += self._as_step(node)

    def _as_step(self, node: Node) -> list[Node]:
        """Write x > y as the step of u = x - y, and x < y as that of y - x."""
        x, y = self._with_numbers(node.args)
        more = (x, y) if node.operation in ("gt", "ge") else (y, x)
        difference = _difference(node, f"{node.name}_difference", *more)
        step = StepFunction(inclusive=node.operation in ("ge", "le"))
        number = Ref(f"{node.name}_number")
        self.numbers[node.name] = number
        args = (Ref(difference.name),)
        return [
            difference,
            replace(node, name=number.name, target=step, args=args, kwargs={}, floating=True),
        ]

    def _as_sum(self, node: Node) -> list[Node]:
        """Write a choice of two constants, a where s is 1 and b where s is 0, as b + s (a - b)."""
        condition, a, b = _choice(node)
        rise, product = Ref(f"{node.name}_rise"), Ref(f"{node.name}_product")
        both = not isinstance(a, Ref) and not isinstance(b, Ref)
        before = [] if both else [_difference(node, rise.name, a, b)]
        args = (self.numbers[condition.name], a - b if both else rise)
        factor = replace(
            node, name=product.name, operation="mul", target=_MUL, args=args, kwargs={}
        )
        total = replace(node, operation="add", target=_ADD, args=(product, b), kwargs={})
        return [*before, factor, total]

    def _chooses_constants(self, node: Node) -> bool:
        """Tell whether a comparison that gives numbers chooses between two constants."""
        if node.operation not in ("where", "masked_fill") or len(node.args) != 3:
            return False
        condition, a, b = _choice(node)
        chosen = isinstance(condition, Ref) and condition.name in self.numbers
        return chosen and self._is_constant(a) and self._is_constant(b)

    def _is_constant(self, value: Any) -> bool:
        if not isinstance(value, Ref):
            return isinstance(value, (int, float)) and math.isfinite(value)
        node = self.graph.node(value.name)
        if node is None:
            return value.name in self.graph.state or value.name in self.graph.constants
        return node.operation in SHAPES_ONLY

    def _with_numbers(self, value: Any) -> Any:
        """Replace the comparisons among arguments by their numbers."""
        if isinstance(value, Ref):
            return self.numbers.get(value.name, value)
        if isinstance(value, (list, tuple)):
            return type(value)(self._with_numbers(item) for item in value)
        return value


def _choice(node: Node) -> tuple[Any, Any, Any]:
    """Return the condition, what is chosen where it is true, and what elsewhere."""
    first, second, third = node.args
    if node.operation == "masked_fill":
        return second, third, first
    return first, second, third


def _difference(node: Node, name: str, x: Any, y: Any) -> Node:
    """Return the node of x - y, for values and numbers."""
    if isinstance(x, Ref):
        operation, target, args = "sub", torch.ops.aten.sub.Tensor, (x, y)
    else:
        operation, target, args = "rsub", torch.ops.aten.rsub.Scalar, (y, x)
    return replace(
        node, name=name, operation=operation, target=target, args=args, kwargs={}, floating=True
    )


def _computes(node: Node) -> bool:
    operation = OPERATIONS.get(node.operation)
    principle = operation.principle if operation else None
    computes = principle in (Principle.RULE, Principle.LINEAR) or node.operation in _COPIES
    return node.floating and computes
