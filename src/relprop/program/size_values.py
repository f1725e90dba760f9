"""Caches the values of a model that depend on sizes alone, such as positions and causal masks.

Takes the steps of a program. Gives such values for the sizes of a batch, and the steps that are
left. In a small model that reads tokens they are a fifth of all operations.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Graph, Node
from ..support.recent_items import RecentItems
from ..support.torch_private import operation_name
from .schedule import ScheduledStep
from .weight_cache import is_stand_in

_MOST_SIZES = 64
_MOST_BYTES = 2**18  # for one size: the mask of a long text costs little beside its layers


class SizeValues:
    """The values that depend on sizes alone. May be used from several threads.

    Attributes:
        others: The steps that compute all other values.
    """

    def __init__(self, graph: Graph, steps: Sequence[ScheduledStep]) -> None:
        sized = _sized(graph)
        self._inputs = tuple(graph.inputs.values())
        self._sizes = tuple(at for step in steps if (at := sized.get(step.name)) is not None)
        self._steps = [step for step in steps if step.name in sized]
        self.others = [step for step in steps if step.name not in sized]
        self._needed = {name for step in self.others for name in step.step.reads} & sized.keys()
        self._needed |= {graph.output, graph.scores} & sized.keys()
        self._known: RecentItems[dict[str, Any]] = RecentItems(_MOST_SIZES)

    def find(self, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the values that `others` need, for the sizes of the inputs among these values.

        Returns None where they are not cached: under autocast, while torch.compile follows the
        program, and for large ones.
        """
        cast = torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
        if cast or not self._steps or any(is_stand_in(values[name]) for name in self._inputs):
            return None
        key = tuple([values[name].shape[dim] for name, dim in self._sizes])
        known = self._known.get(key)
        if known is None:
            known = self._compute(values)
            self._known.put(key, known)
        return known or None

    def _compute(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Compute them; no values at all if they are too large to be kept."""
        computed = dict(values)
        for step in self._steps:
            computed[step.name], _ = step.run(computed)
        needed = {name: computed[name] for name in self._needed}
        tensors = [value for value in needed.values() if isinstance(value, Tensor)]
        return needed if sum(tensor.nbytes for tensor in tensors) <= _MOST_BYTES else {}


def _sized(graph: Graph) -> dict[str, tuple[str, int] | None]:
    """Find the values that depend on sizes alone; of the size of an input, which one it is."""
    sized: dict[str, tuple[str, int] | None] = {}
    inputs = frozenset(graph.inputs.values())
    for node in graph.nodes:
        if node.operation == "sym_size" and node.inputs[0] in inputs:
            sized[node.name] = node.inputs[0], node.args[1]
        elif _is_fixed(node) and all(name in sized for name in node.inputs):
            sized[node.name] = None
    return sized


def _is_fixed(node: Node) -> bool:
    """Tell whether an operation gives the same for the same arguments, and reads no memory."""
    if operation_name(node.target) is None:
        return getattr(node.target, "__module__", "") == "_operator"
    random = torch.Tag.nondeterministic_seeded in node.target.tags  # type: ignore[attr-defined]
    return not random and "empty" not in node.operation
