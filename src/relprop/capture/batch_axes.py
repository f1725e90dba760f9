"""Finds the batch axis of every intermediate value by NaN probing.

All samples of a batch but one are made NaN at the inputs. NaN spreads to whatever is computed from
it, and to nothing else. So entries that are no NaN belong to the one sample, in every value that
does not swallow NaN. Takes a graph and a batch; knows nothing of the model's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import CaptureError
from ..graph.analysis import find_sources
from ..graph.inputs import Inputs
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


def _run_with_nan_neighbours(
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


class Probe(NamedTuple):
    """What a run shows in which every sample but one is NaN.

    Attributes:
        axes: Floating-point value -> the batch axes that it allows; none where samples are mixed.
        spread: The output, and the values without one batch axis, to which NaN has spread.
        output: The output for the one sample.
    """

    axes: Mapping[str, set[BatchAxis]]
    spread: frozenset[str]
    output: Tensor

    @property
    def is_ambiguous(self) -> bool:
        """Whether a value allows several batch axes, as where a masked class looks like a sample.

        Another sample tells: it lies elsewhere, and the masked class does not.
        """
        return any(len(possible) > 1 for possible in self.axes.values())


def run_probe(graph: Graph, inputs: Inputs, state: Mapping[str, Tensor], sample: int) -> Probe:
    """Run a graph on a batch in which every sample but one is NaN.

    Args:
        graph: The operations.
        inputs: The probe batch.
        state: Parameters and buffers, by value name.
        sample: The one that is not NaN.
    """
    values = _run_with_nan_neighbours(graph, inputs.tensors, state, sample)
    computed = {node.name: values[node.name] for node in graph.nodes}
    axes = {
        name: _possible_axes(~value.isnan(), inputs.batch, sample)
        for name, value in computed.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    unclear = {name for name, possible in axes.items() if len(possible) != 1} | {graph.output}
    spread = frozenset(name for name in unclear if bool(values[name].isnan().any()))
    return Probe(axes, spread, values[graph.output][sample : sample + 1])


def find_batch_axes(graph: Graph, probes: Sequence[Probe]) -> dict[str, BatchAxis | None]:
    """Find the one batch axis of each value that all probes allow.

    Args:
        graph: The operations.
        probes: Of a batch with neighbours on both sides, as in `probe_batch`. For a graph of one
            batch, of the first sample and the last: where the order of samples depends on the
            data, as after a sort, one of them may be in its place by chance, hence two.

    Returns:
        Value name -> batch axis. None where the order of samples is not fixed, as where experts
        sort tokens, and where NaN does not spread to.

    Raises:
        CaptureError: If NaN of one sample spreads to the output of another.
    """
    axes: dict[str, BatchAxis | None] = {name: BatchAxis() for name in graph.inputs.values()}
    spread = frozenset[str]().union(*(probe.spread for probe in probes))
    mixing = []
    for node in graph.nodes:
        if all(node.name in probe.axes for probe in probes):
            common = set.intersection(*(probe.axes[node.name] for probe in probes))
            axes[node.name] = common.pop() if len(common) == 1 else None
            if axes[node.name] is None and node.name in spread:
                mixing.append(node.where)
    if graph.output in spread and axes.get(graph.output) != BatchAxis():
        raise mixed_samples_error(mixing[0] if mixing else "the model")
    return {**axes, graph.output: BatchAxis()}


def mixed_samples_error(where: str) -> CaptureError:
    """Return the error for a model that does not compute every sample by itself."""
    return CaptureError(
        f"{where} mixes the samples of a batch: one changes what the model makes of another",
        "a model that treats every sample of a batch by itself",
        "give samples one at a time, or reduce over all dimensions but the batch",
    )


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
