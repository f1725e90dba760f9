"""Runs a part of a graph on random numbers, to show whether it may be written in another way.

Takes a graph, and all values that no node computes, for some samples. Shapes and constants are
those of the samples; the values that are to be arbitrary are drawn. Must not know what is compared.
"""

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Graph, Node, Ref, Values, refs
from ..graph.ops import SHAPES_ONLY, Principle, operation_of

# What may differ, as part of the largest entry: sums over some hundred, masks of less precision.
_TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}


@dataclass(frozen=True)
class Trial:
    """A graph, as it was exported, and values of it for some samples.

    Attributes:
        graph: The graph.
        values: All values that no node computes, by name.
    """

    graph: Graph
    values: Mapping[str, Any]

    @cached_property
    def computed(self) -> Values:
        """Compute all values; once, and only if some have to be known."""
        values = dict(self.values)
        for node in self.graph.nodes:
            values[node.name] = node.run(values)
        return values

    @cached_property
    def fixed(self) -> set[str]:
        """Name the values that are the same in every call: what the code holds, and sizes."""
        fixed = {*self.graph.constants}
        for node in self.graph.nodes:
            if fixed.issuperset(node.inputs) or node.operation in SHAPES_ONLY:
                fixed.add(node.name)
        return fixed

    def draw(self, names: Iterable[str], same: Iterable[str] = ()) -> dict[str, Tensor]:
        """Draw random numbers in the place of values; the same numbers for those in `same`."""
        generator = torch.Generator().manual_seed(0)
        drawn = {name: self._random(name, generator) for name in sorted(names)}
        alike = list(same)
        drawn |= dict.fromkeys(alike, self._random(alike[0], generator)) if alike else {}
        return {name: numbers for name, numbers in drawn.items() if numbers is not None}

    def _random(self, name: str, generator: torch.Generator) -> Tensor | None:
        """Draw numbers like those of a value, which holds floating point numbers; else None."""
        like = self.computed[name]
        if not isinstance(like, Tensor) or not like.is_floating_point():
            return None
        numbers = torch.randn(like.shape, generator=generator, dtype=torch.float64)
        return numbers.to(like.device, like.dtype)

    def run(self, name: str, nodes: Sequence[Node], given: Mapping[str, Tensor]) -> Any:
        """Compute one value by these nodes, with numbers that are given in the place of others."""
        changed = _changed(nodes, given)
        same = {at: value for at, value in self.computed.items() if at not in changed}
        return replace(self.graph, nodes=tuple(nodes)).compute(name, {**same, **given})[name]

    def beside(self, name: str, nodes: Sequence[Node], given: Set[str]) -> list[Ref]:
        """List what these nodes take on the way from the given values to another one."""
        changed = _changed(nodes, given)
        way = replace(self.graph, nodes=tuple(nodes)).nodes_to_compute(name, given)
        taken = {at for node in way if node.name in changed for at in node.inputs}
        return [Ref(at) for at in sorted(taken - changed)]


def _changed(nodes: Sequence[Node], given: Iterable[str]) -> set[str]:
    changed = set(given)
    for node in nodes:
        if not changed.isdisjoint(node.inputs):
            changed.add(node.name)
    return changed


def free_values(
    arguments: Iterable[object], nodes: Mapping[str, Node], fixed: Container[str]
) -> set[str]:
    """Name the values that arguments were copied from and that may be any: all but the fixed.

    Of [v, 1], joined, these are v: the ones stay what they are.
    """
    free, waiting = set[str](), [ref.name for ref in refs(list(arguments))]
    while waiting:
        name = waiting.pop()
        node = nodes.get(name)
        operation = operation_of(node) if node else None
        if name in fixed or (node and not node.floating):
            continue
        if node and operation and operation.principle is Principle.SELECTION:
            waiting += node.inputs
        else:
            free.add(name)
    return free


def agree(a: Tensor, b: Tensor) -> bool:
    """Tell whether two results are the same up to rounding, and not 0, nor undefined, anywhere."""
    if a.shape != b.shape or a.dtype != b.dtype or a.dtype not in _TOLERANCES:
        return False
    defined = a.isfinite()
    size = a.where(defined, 0).abs().max() if a.numel() else a.new_zeros(())
    near = ((a - b).abs() <= _TOLERANCES[a.dtype] * size) & b.isfinite()
    return bool(size > 0 and torch.where(defined, near, ~b.isfinite()).all())
