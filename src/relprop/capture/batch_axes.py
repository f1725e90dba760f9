"""Layouts: which entries of each value belong to which sample, found by trying.

All samples of a batch but one are made NaN where relevance is taken. NaN spreads to all that is
computed from it, and to nothing else: so what is no NaN is of the one sample, in every value that
does not swallow NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import CaptureError
from ..graph.analysis import find_sources
from ..graph.ir import Graph
from ..graph.token_ids import token_samples


@dataclass(frozen=True)
class BatchAxis:
    """Where a value holds its samples: dimension `axis` is (outer, samples, rest) in one.

    The plain case is axis 0, outer 1, rest 1. A batch may be merged with heads, windows or
    positions, before it or after it.
    """

    axis: int = 0
    outer: int = 1

    def sum_per_sample(self, value: Tensor, batch: int) -> Tensor:
        """A value summed over all but its samples, (batch,), in float64."""
        before, after = value.shape[: self.axis], value.shape[self.axis + 1 :]
        rest = value.shape[self.axis] // (self.outer * batch)
        parts = value.double().reshape(*before, self.outer, batch, rest, *after)
        return parts.sum([dim for dim in range(parts.ndim) if dim != self.axis + 1])


def run_with_nan_neighbours(
    graph: Graph, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], kept: int
) -> dict[str, Any]:
    """All values of a batch in which every sample is NaN but `kept`."""
    sources, known = find_sources(graph), graph.initial_values(inputs, state)
    values = {**known, **{n: _spoil(known[n], kept) for n in graph.inputs.values() if n in sources}}
    for node in graph.nodes:
        values[node.name] = node.run(values)
        if node.name in sources:
            spoilt = token_samples(graph, node, sources[node.name], known) != kept
            values[node.name] = values[node.name].masked_fill(spoilt[..., None], torch.nan)
    return values


def probe_batch(graph: Graph) -> list[int]:
    """The batch that shows whether its sample 1 is by itself: places of samples, -1 for the last.

    Others stand before it and after it. Where an order may be turned round, it does not stand in
    the middle, where it would stay.
    """
    return [0, -1, 0, 0] if any(n.operation in _REORDERS for n in graph.nodes) else [0, -1, 0]


_MAY_REORDER = """
flip rot90 roll index index_select gather take_along_dim take sort argsort topk index_add
index_put index_copy scatter scatter_add scatter_reduce masked_scatter
"""
_REORDERS = frozenset(_MAY_REORDER.split())


def find_batch_axes(
    graph: Graph, probes: Mapping[int, Mapping[str, Any]], batch: int
) -> dict[str, BatchAxis | None]:
    """The layout of each value by name: the one that all probes allow.

    probes  sample -> what `run_with_nan_neighbours` gives for it: one among others, see
            `probe_batch`, or the two at the ends: where numbers decide on the order, one at an
            end may look right by chance
    None where they stand in such an order, as where experts sort tokens, and where NaN does not
    spread to. Raises CaptureError if NaN in one sample spreads to what the model makes of another.
    """
    found: dict[str, BatchAxis | None] = {name: BatchAxis() for name in graph.inputs.values()}
    mixed = []
    for node in graph.nodes:
        values = {kept: probe[node.name] for kept, probe in probes.items()}
        if all(isinstance(v, Tensor) and v.is_floating_point() for v in values.values()):
            allowed = [_layouts(~v.isnan(), batch, kept) for kept, v in values.items()]
            both = set.intersection(*allowed)
            found[node.name] = both.pop() if len(both) == 1 else None
            if found[node.name] is None and any(map(_has_nan, values.values())):
                mixed.append(node.where)
    spread = any(_has_nan(probe[graph.output]) for probe in probes.values())
    if spread and found.get(graph.output) != BatchAxis():
        raise mixed_samples_error(mixed[0] if mixed else "the model")
    return {**found, graph.output: BatchAxis()}


def _has_nan(value: Tensor) -> bool:
    return bool(value.isnan().any())


def _spoil(value: Tensor, kept: int) -> Tensor:
    """All samples made NaN but one."""
    spoilt = torch.arange(len(value), device=value.device) != kept
    return value.masked_fill(spoilt.reshape(-1, *[1] * (value.ndim - 1)), torch.nan)


def _layouts(whole: Tensor, batch: int, kept: int) -> set[BatchAxis]:
    """The layouts in which nothing but sample `kept` is whole.

    whole  where a value has numbers
    """
    if batch == 1 or whole.numel() == 0:
        return {BatchAxis()}
    found = set()
    for axis in range(whole.ndim):
        if whole.shape[axis] % batch or not _possible(whole, axis):
            continue
        marked = whole.flatten(axis + 1).all(-1) if axis + 1 < whole.ndim else whole
        marked = marked.flatten(0, axis - 1).all(0) if axis else marked
        outer = _outer(marked, batch, kept)
        found |= {BatchAxis(axis, outer)} if outer is not None else set()
    return found


def _possible(whole: Tensor, axis: int) -> bool:
    """Whether both the first line along a dimension and the last are whole at one place.

    What is whole in all lines is whole in these two, which are read at once.
    """
    first, last = whole, whole
    for dim in reversed([dim for dim in range(whole.ndim) if dim != axis]):
        first, last = first.select(dim, 0), last.select(dim, -1)
    return bool((first & last).any())


def _outer(marked: Tensor, batch: int, kept: int) -> int | None:
    """How many times the samples follow one another along a dimension."""
    change = marked if kept else ~marked  # where sample `kept` begins, or where sample 0 ends
    rest, remainder = divmod(int(change.int().argmax()), kept or 1)
    if remainder or rest == 0 or len(marked) % (rest * batch):
        return None
    expected = (torch.arange(len(marked), device=marked.device) // rest) % batch == kept
    return len(marked) // (rest * batch) if bool((marked == expected).all()) else None


def mixed_samples_error(where: str) -> CaptureError:
    """The error for a model that does not treat every sample by itself."""
    return CaptureError(
        f"{where} mixes the samples of a batch: one changes what the model makes of another",
        "a model that treats every sample of a batch by itself",
        "give samples one at a time, or reduce over all dimensions but the batch",
    )
