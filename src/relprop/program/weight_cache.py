"""Caches the weights that rules derive (W^+, folded BatchNorm) while the model's do not change.

An entry is invalid when a tensor that it was made from differs in identity, version or memory
format. An edit through `.data` leaves no version behind, so numbers are compared, too: all of a
vector, and of a larger tensor one random projection of each row. Edits smaller than the rounding of
a row's projection go unnoticed.
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
from ..rules.linear_maps import LinearMap
from ..rules.weights import Weights
from ..support.torch_private import version_of

Layer = tuple[LinearMap, Weights]


@dataclass(frozen=True, eq=False)
class CachedLayer:
    """A layer, and a fingerprint of what it was made from.

    Attributes:
        layer: Its geometry and weights.
        sources: Names of the parameters, buffers and constants that it was made from.
        identities: The identity of each of them.
        fingerprint: Projections of their numbers; None until something is derived from them.
    """

    layer: Layer
    sources: tuple[str, ...]
    identities: tuple[Any, ...]
    fingerprint: Tensor | None = None


class WeightCache:
    """The layers of a plan by step. Programs with the same steps and threads may share it."""

    def __init__(self, plan: Plan) -> None:
        self._sources_of = _sources_of(plan.graph)
        self._custom = {step.name for step in plan.steps if step.rule and step.rule.own}
        self._cached: dict[str, CachedLayer] = {}

    def reader(
        self,
        step: str,
        source: str,
        names: Sequence[str],
        make: Callable[[Values, Tensor], Layer],
        lay_out: Callable[[Tensor], Tensor] | None,
    ) -> Callable[[Values], tuple[Tensor, LinearMap, Weights]]:
        """Build the function from values by name to the input of a layer and the cached layer.

        Args:
            step: The step's name.
            source: The value that is the layer's input.
            names: The values that the layer is made from.
            make: Makes the layer from all values and the input.
            lay_out: Changes the memory format of the input, if given.
        """

        def read(values: Values) -> tuple[Tensor, LinearMap, Weights]:
            x = values[source]
            if lay_out is not None:
                x = lay_out(x)
            if torch.is_grad_enabled() or _has_stand_ins(values, names):
                return x, *make(values, x)  # may have a history, or be part of what is compiled
            cached = self._cached.get(step)
            if cached is None:
                return x, *self._add(step, names, values, make(values, x))
            return x, *cached.layer

        return read

    def _add(self, step: str, names: Sequence[str], values: Values, layer: Layer) -> Layer:
        """Cache a layer, unless it was made from values that steps compute."""
        if all(name in self._sources_of for name in names):
            sources = tuple(dict.fromkeys(s for name in names for s in self._sources_of[name]))
            if not _share_memory(
                names, sources, values
            ):  # views follow in-place edits, copies do not
                layer = layer[0], replace(layer[1], computed=True)
            identities = tuple(_identity(values[name]) for name in sources)
            self._cached[step] = CachedLayer(layer, sources, identities)
        return layer

    def invalidate_stale(self, values: Values) -> None:
        """Drop the layers whose sources changed. Called before each run."""
        if _has_stand_ins(values, values):
            return
        for step, cached in list(self._cached.items()):
            for name, identity in zip(cached.sources, cached.identities, strict=True):
                if _identity(values[name]) != identity:
                    self._cached.pop(step, None)
                    break
        self._compare_fingerprints(values)

    def _compare_fingerprints(self, values: Values) -> None:
        derived = {step: c for step, c in self._cached.items() if c.fingerprint is not None}
        if not derived:
            return
        now = torch.cat([_fingerprint(cached, values) for cached in derived.values()])
        if not torch.equal(now, torch.cat([c.fingerprint for c in derived.values()])):  # type: ignore[misc]
            for step in derived:
                self._cached.pop(step, None)

    def record_fingerprints(self, values: Values) -> None:
        """Fingerprint what weights were derived from. Called after each run."""
        for step, cached in list(self._cached.items()):
            weights = cached.layer[1]
            # Else nothing can be stale. A custom rule may derive weights in its backward pass.
            derived = weights.computed or weights.memo or step in self._custom
            new = derived and cached.fingerprint is None and cached.sources
            if new and not _has_stand_ins(values, values):
                self._cached[step] = replace(cached, fingerprint=_fingerprint(cached, values))


def _sources_of(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """Map each value to the parameters, buffers and constants that it consists of entries of."""
    sources: dict[str, tuple[str, ...]] = {n: (n,) for n in (*graph.state, *graph.constants)}
    for node in graph.nodes:
        operation = operation_of(node)
        selects = operation is not None and operation.principle is Principle.SELECTION
        if selects and node.inputs and all(name in sources for name in node.inputs):
            sources[node.name] = tuple(s for name in node.inputs for s in sources[name])
    return sources


def _share_memory(names: Sequence[str], sources: Sequence[str], values: Values) -> bool:
    """Tell whether values are views of their sources, and no copies of their entries."""
    storages = {values[name].untyped_storage().data_ptr() for name in sources}
    return all(values[name].untyped_storage().data_ptr() in storages for name in names)


_PLAIN = {Tensor, nn.Parameter}


def is_stand_in(value: Any) -> bool:
    """Tell whether a value is a fake or traced tensor, by which torch.compile follows a program."""
    return type(value) not in _PLAIN and isinstance(value, Tensor)


def _has_stand_ins(values: Values, names: Sequence[str] | Values) -> bool:
    for name in names:
        if type(values[name]) not in _PLAIN and isinstance(values[name], Tensor):
            return True
    return False


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    version = 0 if tensor.is_inference() else version_of(tensor)
    address = (tensor.data_ptr(), tensor.device, tensor.dtype)
    return (*address, version, tensor.shape, tensor.stride())


def _fingerprint(cached: CachedLayer, values: Mapping[str, Any]) -> Tensor:
    return torch.cat([_projection(values[name]) for name in cached.sources])


def _projection(tensor: Tensor) -> Tensor:
    """Compute one number for each row of a tensor; return a vector as it is."""
    numbers = tensor.detach() if tensor.dtype is torch.float64 else tensor.detach().float()
    if numbers.ndim < 2:
        return numbers.reshape(-1).clone()
    rows = numbers.reshape(max(1, len(numbers)), -1)
    return rows @ _direction(rows.shape[1], rows.device).to(rows.dtype)


@lru_cache(maxsize=256)
def _direction(size: int, device: torch.device) -> Tensor:
    """Draw the numbers to project on, between 1 and 2: the same for a size each time."""
    drawn = torch.rand(size, generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    return (drawn + 1).to(device)
