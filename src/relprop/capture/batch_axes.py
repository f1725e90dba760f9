"""Finds the batch axis of every intermediate value by NaN probing.

All samples of a batch but one are made NaN at the inputs. NaN spreads to whatever is computed from
it, and to nothing else. So entries that are no NaN belong to the one sample, in every value that
does not swallow NaN. Takes a graph and a batch; knows nothing of the model's code.
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
    """Where a value holds its samples: dimension `axis` is (outer, batch, rest), flattened.

    The plain case is axis 0, outer 1, rest 1. A model may merge the batch with heads, windows or
    positions, before it (outer) or after it (rest).

    Attributes:
        axis: The dimension.
        outer: Repeats of the whole batch along it: 2 for an axis of size heads * batch with two
            heads.
    """

    axis: int = 0
    outer: int = 1

    def sum_per_sample(self, value: Tensor, batch: int) -> Tensor:
        """Sum a value over all but its samples.

        Args:
            value: Of any shape that has this batch axis.
            batch: Number of samples.

        Returns:
            (batch,), in float64.

        Example:
            >>> heads_first = torch.arange(12.0).reshape(6, 2)  # (heads * batch, width)
            >>> BatchAxis(axis=0, outer=2).sum_per_sample(heads_first, batch=3)
            tensor([14., 22., 30.], dtype=torch.float64)
        """
        before, after = value.shape[: self.axis], value.shape[self.axis + 1 :]
        rest = value.shape[self.axis] // (self.outer * batch)
        split = value.double().reshape(*before, self.outer, batch, rest, *after)
        return split.sum([dim for dim in range(split.ndim) if dim != self.axis + 1])


def run_with_nan_neighbours(
    graph: Graph, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], sample: int
) -> dict[str, Any]:
    """Run a graph on a batch in which every sample but one is NaN; return all values by name."""
    sources, initial = find_sources(graph), graph.initial_values(inputs, state)
    explained = [name for name in graph.inputs.values() if name in sources]
    values = {**initial, **{name: _nan_but_one(initial[name], sample) for name in explained}}
    for node in graph.nodes:
        values[node.name] = node.run(values)
        if node.name in sources:  # an embedding: token ids cannot be NaN, what they look up can
            others = token_samples(graph, node, sources[node.name], initial) != sample
            values[node.name] = values[node.name].masked_fill(others[..., None], torch.nan)
    return values


def probe_batch(graph: Graph) -> list[int]:
    """Choose the samples of the probe batch, as indices; -1 is the last sample of the user's.

    Sample 1 of the probe is compared: it is the user's last, with a neighbour on either side. If
    an operation may reverse the batch, sample 1 is put off-centre: the centre would stay in place
    and would not show it.
    """
    may_reorder = any(node.operation in _REORDERING for node in graph.nodes)
    return [0, -1, 0, 0] if may_reorder else [0, -1, 0]


_NAMES = """
flip rot90 roll index index_select gather take_along_dim take sort argsort topk index_add
index_put index_copy scatter scatter_add scatter_reduce masked_scatter
"""
_REORDERING = frozenset(_NAMES.split())


def find_batch_axes(
    graph: Graph, probes: Mapping[int, Mapping[str, Any]], batch: int
) -> dict[str, BatchAxis | None]:
    """Find the one batch axis of each value that all probes allow.

    Args:
        graph: The operations.
        probes: Sample -> values of `run_with_nan_neighbours`. One sample with neighbours on both
            sides, as in `probe_batch`. For a graph of one batch, the first sample and the last:
            where the order of samples depends on the data, as after a sort, one of them may be in
            its place by chance, hence two.
        batch: Number of samples of the probe batch.

    Returns:
        Value name -> batch axis. None where the order of samples is not fixed, as where experts
        sort tokens, and where NaN does not spread to.

    Raises:
        CaptureError: If NaN of one sample spreads to the output of another.
    """
    axes: dict[str, BatchAxis | None] = {name: BatchAxis() for name in graph.inputs.values()}
    mixing = []
    for node in graph.nodes:
        values = {sample: probe[node.name] for sample, probe in probes.items()}
        if all(isinstance(v, Tensor) and v.is_floating_point() for v in values.values()):
            allowed = [_possible_axes(~v.isnan(), batch, sample) for sample, v in values.items()]
            common = set.intersection(*allowed)
            axes[node.name] = common.pop() if len(common) == 1 else None
            if axes[node.name] is None and any(map(_has_nan, values.values())):
                mixing.append(node.where)
    spread = any(_has_nan(probe[graph.output]) for probe in probes.values())
    if spread and axes.get(graph.output) != BatchAxis():
        raise mixed_samples_error(mixing[0] if mixing else "the model")
    return {**axes, graph.output: BatchAxis()}


def mixed_samples_error(where: str) -> CaptureError:
    """Return the error for a model that does not compute every sample by itself."""
    return CaptureError(
        f"{where} mixes the samples of a batch: one changes what the model makes of another",
        "a model that treats every sample of a batch by itself",
        "give samples one at a time, or reduce over all dimensions but the batch",
    )


def _has_nan(value: Tensor) -> bool:
    return bool(value.isnan().any())


def _nan_but_one(value: Tensor, sample: int) -> Tensor:
    """Make all samples NaN but one."""
    others = torch.arange(len(value), device=value.device) != sample
    return value.masked_fill(others.reshape(-1, *[1] * (value.ndim - 1)), torch.nan)


def _possible_axes(finite: Tensor, batch: int, sample: int) -> set[BatchAxis]:
    """Find the batch axes for which the entries without NaN are those of `sample`.

    finite  True where a value is no NaN
    """
    if batch == 1 or finite.numel() == 0:
        return {BatchAxis()}
    axes = set()
    for axis in range(finite.ndim):
        if finite.shape[axis] % batch or not _may_be_along(finite, axis):
            continue
        # True at the positions along the axis at which every entry is finite.
        along = finite.flatten(axis + 1).all(-1) if axis + 1 < finite.ndim else finite
        along = along.flatten(0, axis - 1).all(0) if axis else along
        outer = _repeats_along(along, batch, sample)
        axes |= {BatchAxis(axis, outer)} if outer is not None else set()
    return axes


def _may_be_along(finite: Tensor, axis: int) -> bool:
    """Rule out most axes cheaply: some position must be finite in the first and the last line.

    A position that is finite in all lines along the axis is finite in these two, and two lines are
    read faster than the whole value.
    """
    first, last = finite, finite
    for dim in reversed([dim for dim in range(finite.ndim) if dim != axis]):
        first, last = first.select(dim, 0), last.select(dim, -1)
    return bool((first & last).any())


def _repeats_along(along: Tensor, batch: int, sample: int) -> int | None:
    """Count the repeats of the whole batch along a dimension; None if it does not hold samples.

    With `rest` positions for each sample, the first position of `sample` is sample * rest; that
    gives `rest`. For sample 0, which begins at 0, it is where the next sample begins.

    along  True at the positions of `sample`
    """
    changes = along if sample else ~along
    rest, remainder = divmod(int(changes.int().argmax()), sample or 1)
    if remainder or rest == 0 or len(along) % (rest * batch):
        return None
    expected = (torch.arange(len(along), device=along.device) // rest) % batch == sample
    return len(along) // (rest * batch) if bool((along == expected).all()) else None
