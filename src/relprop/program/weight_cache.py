"""Weights that rules derive, kept from run to run for as long as the model's do not change.

What they were made from is compared at the next run: identity, version and layout of each tensor.
Since an edit through `.data` leaves no version behind, so are numbers: of a vector all of them, of
a larger tensor a random projection of each row. That does not see an edit below a row's rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..graph.ir import Graph, Values
from ..graph.ops import Principle, operation_of
from ..plan.plan import Plan
from ..rules.layer import Weights
from ..rules.linear_maps import LinearMap

Layer = tuple[LinearMap, Weights]


@dataclass(frozen=True, eq=False)
class Kept:
    """A layer, and what it was made from.

    names       of the tensors, among the graph's values
    identities  of each: where it is, its version, shape and type
    numbers     projections of them; None as long as nothing was derived
    """

    layer: Layer
    names: tuple[str, ...]
    identities: tuple[Any, ...]
    numbers: Tensor | None = None


class KeptWeights:
    """The layers of a plan, by step. Programs of the same steps may share it, and threads."""

    def __init__(self, plan: Plan) -> None:
        self._entries_of = _entries_of(plan.graph)
        self._kept: dict[str, Kept] = {}

    def layer(
        self, step: str, names: Sequence[str], values: Values, make: Callable[[], Layer]
    ) -> Layer:
        """The layer of a step: the one that is kept, or a new one.

        names  of the values that it is made from
        """
        if torch.is_grad_enabled() or any(stands_in(values[name]) for name in names):
            return make()  # its weights may have a history, or be part of what is compiled
        kept = self._kept.get(step)
        if kept is not None:
            return kept.layer
        layer = make()
        if all(name in self._entries_of for name in names):
            wholes = tuple(dict.fromkeys(w for name in names for w in self._entries_of[name]))
            identities = tuple(_identity(values[name]) for name in wholes)
            if not _lies_within(names, wholes, values):  # else it follows them by itself
                layer = layer[0], replace(layer[1], made=True)
            self._kept[step] = Kept(layer, wholes, identities)
        return layer

    def forget_stale(self, values: Values) -> None:
        """Before a run: forget the layers whose weights are no longer what they were made from."""
        if any(map(stands_in, values.values())):
            return
        for key, kept in list(self._kept.items()):
            if kept.identities != tuple(_identity(values[name]) for name in kept.names):
                self._kept.pop(key, None)
        known = {key: kept for key, kept in self._kept.items() if kept.numbers is not None}
        if not known:
            return
        now = torch.cat([_numbers(kept, values) for kept in known.values()])
        if not torch.equal(now, torch.cat([kept.numbers for kept in known.values()])):  # type: ignore[misc]
            for key in known:
                self._kept.pop(key, None)

    def note(self, values: Values) -> None:
        """After a run: note the numbers that weights were derived from."""
        new = {
            key: kept
            for key, kept in list(self._kept.items())
            if kept.numbers is None and kept.names and kept.layer[1].derived
        }
        if not new or any(map(stands_in, values.values())):
            return
        for key, kept in new.items():
            self._kept[key] = replace(kept, numbers=_numbers(kept, values))


def _entries_of(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """Value -> the parameters, buffers and constants that it is, or whose entries it is."""
    found: dict[str, tuple[str, ...]] = {n: (n,) for n in (*graph.state, *graph.constants)}
    for node in graph.nodes:
        operation = operation_of(node)
        takes = operation is not None and operation.principle is Principle.SELECTION
        if takes and node.inputs and all(name in found for name in node.inputs):
            found[node.name] = tuple(whole for name in node.inputs for whole in found[name])
    return found


def _lies_within(names: Sequence[str], wholes: Sequence[str], values: Values) -> bool:
    """Whether values lie in the memory of others, and are no copies of their entries."""
    places = {values[name].untyped_storage().data_ptr() for name in wholes}
    return all(values[name].untyped_storage().data_ptr() in places for name in names)


def stands_in(value: Any) -> bool:
    """Whether it is no plain tensor but a stand-in, that torch.compile follows a program by."""
    return type(value) not in _PLAIN and isinstance(value, Tensor)


_PLAIN = {Tensor, nn.Parameter}


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    version = 0 if tensor.is_inference() else tensor._version
    place = (tensor.data_ptr(), tensor.device, tensor.dtype)
    return (*place, version, tensor.shape, tensor.stride())


def _numbers(kept: Kept, values: Mapping[str, Any]) -> Tensor:
    return torch.cat([_projection(values[name]) for name in kept.names])


def _projection(tensor: Tensor) -> Tensor:
    """One number for each row of the tensor; a vector as it is."""
    numbers = tensor.detach() if tensor.dtype is torch.float64 else tensor.detach().float()
    if numbers.ndim < 2:
        return numbers.reshape(-1).clone()
    rows = numbers.reshape(max(1, len(numbers)), -1)
    return rows @ _direction(rows.shape[1], rows.device).to(rows.dtype)


@lru_cache(maxsize=256)
def _direction(size: int, device: torch.device) -> Tensor:
    """The same numbers for a size each time, between 1 and 2."""
    drawn = torch.rand(size, generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    return (drawn + 1).to(device)
