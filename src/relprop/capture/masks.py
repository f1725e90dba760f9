"""Finds masks, and weights >= 0, among the values of a graph that receive no relevance.

Of some the graph alone says that they are >= 0: comparisons, sigmoids, what the code holds. Others,
computed from float inputs and parameters, are so by their numbers, which may be others at the next
call: `MaskSigns` tells whether a graph that was made for some numbers is the right one for others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..graph.analysis import analyse_graph
from ..graph.ir import Graph, Ref, Values
from ..graph.ops import FIRST_BY_VALUE, operation_of
from .trial import Trial


@dataclass(frozen=True)
class MaskSigns:
    """Which masks of a graph were >= 0 when it was captured, of those that may be otherwise.

    Attributes:
        graph: The operations that compute them.
        found: Name of a mask -> whether it was >= 0.
    """

    graph: Graph
    found: Mapping[str, bool]

    def now(self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, bool]:
        """Look again, with inputs by label, and parameters and buffers by value name."""
        values = self.graph.initial_values(inputs, state)
        return {name: _is_nonnegative(self.graph, name, values) for name in self.found}


@dataclass(frozen=True)
class Masks:
    """Finds masks.

    Attributes:
        trial: The graph, as it was exported, and values for some samples.
        values: All values that no node computes, by name, for all samples.
        asked: Masks of which numbers alone tell -> whether they are >= 0.
    """

    trial: Trial
    values: Mapping[str, Any]
    asked: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def constants(self) -> set[str]:
        """Name the values that receive no relevance."""
        names = {node.name for node in self.trial.graph.nodes} | self.values.keys()
        return names - analyse_graph(self.trial.graph).dependent

    def numbers(self, value: object) -> Tensor | None:
        """Compute a mask; None for a value that has other numbers, or that receives relevance."""
        if not isinstance(value, Ref) or value.name not in self.constants:
            return None
        graph, name = self.trial.graph, value.name
        computed = graph.compute(name, self.trial.values)
        numbers = computed[name]
        if not isinstance(numbers, Tensor) or numbers.is_complex():
            return None
        if not self._never_negative(name, computed):
            self.asked[name] = _is_nonnegative(graph, name, self.values)
        return numbers if self.asked.get(name, True) else None

    def signs(self) -> MaskSigns:
        """Return what was found of masks whose numbers may change."""
        graph = self.trial.graph
        needed = {node.name for name in self.asked for node in graph.nodes_to_compute(name, ())}
        nodes = tuple(node for node in graph.nodes if node.name in needed)
        read = {*self.asked, *(name for node in nodes for name in node.inputs)}
        state = {name: path for name, path in graph.state.items() if name in read}
        return MaskSigns(replace(graph, nodes=nodes, state=state), dict(self.asked))

    def _never_negative(self, name: str, computed: Values) -> bool:
        """Tell whether a value is >= 0 whatever numbers inputs and parameters have."""
        graph = self.trial.graph
        nodes = graph.nodes_to_compute(name, ())
        fixed = self.trial.fixed
        known = {n for n in self.values if n in fixed and _all_nonnegative(computed[n])}
        known |= {n for n in self.values if _is_index(computed[n])}
        for node in nodes:
            result, operation = computed[node.name], operation_of(node)
            counted = node.inputs[:1] if node.operation in FIRST_BY_VALUE else node.inputs
            always = operation is not None and operation.nonnegative == "always"
            if operation is not None and operation.nonnegative == "if-inputs":
                always = known.issuperset(counted)
            if always or _is_index(result) or (node.name in fixed and _all_nonnegative(result)):
                known.add(node.name)
        return name in known


def _is_nonnegative(graph: Graph, name: str, values: Values) -> bool:
    return _all_nonnegative(graph.compute(name, values)[name])


def _all_nonnegative(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.is_complex() and bool((value >= 0).all())


def _is_index(value: Any) -> bool:
    """Tell whether a value is boolean, or a size: no number of it is negative."""
    return not isinstance(value, Tensor) or value.dtype is torch.bool
