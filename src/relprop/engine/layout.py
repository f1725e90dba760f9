"""Layouts: which entries of each value belong to which sample, found by trying.

One sample of the batch is made NaN where relevance is taken. NaN spreads to all that is computed
from it, and to nothing else: so it marks the entries of that sample in every value that does not
swallow it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import CaptureError
from .plan import Step
from .program import Program
from .tokens import token_samples


@dataclass(frozen=True)
class Layout:
    """Where a value holds its samples: dimension `axis` is (outer, samples, rest) in one.

    The plain case is axis 0, outer 1, rest 1. A batch may be merged with heads, windows or
    positions, before it or after it.
    """

    axis: int = 0
    outer: int = 1

    def by_sample(self, value: Tensor, batch: int) -> Tensor:
        """A value summed over all but its samples, (batch,), in float64."""
        before, after = value.shape[: self.axis], value.shape[self.axis + 1 :]
        rest = value.shape[self.axis] // (self.outer * batch)
        parts = value.double().reshape(*before, self.outer, batch, rest, *after)
        return parts.sum([dim for dim in range(parts.ndim) if dim != self.axis + 1])


def find_layouts(
    program: Program, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], batch: int
) -> tuple[dict[str, Layout | None], Tensor]:
    """The layout of each value that relevance arrives at, by name; and the output beside NaN.

    None where samples stand in an order that depends on the numbers, as where experts sort tokens,
    and where NaN does not spread to.
    Raises CaptureError if NaN in one sample spreads to what the model makes of another.
    """
    values: dict[str, Any] = {}
    graph, mixed = program.plan.graph, []
    found: dict[str, Layout | None] = {name: Layout() for name in graph.inputs.values()}
    for step in _beside_nan(program, inputs, state, batch - 1, values):
        value = values[step.name]
        if isinstance(value, Tensor) and value.is_floating_point():
            nan = value.isnan()
            found[step.name] = _layout(nan, batch)
            mixed += [step.node.where] if found[step.name] is None and bool(nan.any()) else []
    output: Tensor = values[graph.output]
    if bool(output.isnan().any()) and found.get(graph.output) != Layout():
        raise mixes(mixed[0] if mixed else "the model")
    found[graph.output] = Layout()
    return {name: found[name] for name in found if name in program.plan.forms}, output


def output_beside_nan(
    program: Program, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], sample: int
) -> Tensor:
    """What the model makes of a batch in which one sample is NaN."""
    values: dict[str, Any] = {}
    for _ in _beside_nan(program, inputs, state, sample, values):
        pass
    output: Tensor = values[program.plan.graph.output]
    return output


def _beside_nan(
    program: Program,
    inputs: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    sample: int,
    values: dict[str, Any],
) -> Iterator[Step]:
    """Run the model step by step into `values`, with NaN where relevance of a sample is taken."""
    graph, sources = program.plan.graph, program.plan.sources
    known = graph.given(inputs, state)
    spoiled = {
        label: _spoil(inputs[label], sample) if name in sources else inputs[label]
        for label, name in graph.inputs.items()
    }
    for step, _ in program.run(spoiled, state, values):
        if step.name in sources:
            spoilt = token_samples(graph, step.node, sources[step.name], known) == sample
            values[step.name] = values[step.name].masked_fill(spoilt[..., None], torch.nan)
        yield step


def _spoil(value: Tensor, sample: int) -> Tensor:
    """One sample made NaN."""
    chosen = torch.arange(len(value), device=value.device) == sample
    return value.masked_fill(chosen.reshape(-1, *[1] * (value.ndim - 1)), torch.nan)


def _layout(nan: Tensor, batch: int) -> Layout | None:
    """The one layout whose last sample has all NaN in it; None if there is none, or several."""
    if batch == 1 or nan.numel() == 0:
        return Layout()
    found = []
    for axis in range(nan.ndim):
        if nan.shape[axis] % batch:
            continue
        marked = nan.flatten(axis + 1).any(-1) if axis + 1 < nan.ndim else nan
        marked = marked.flatten(0, axis - 1).any(0) if axis else marked
        outer = _outer(marked, batch)
        found += [Layout(axis, outer)] if outer is not None else []
    return found[0] if len(found) == 1 else None


def _outer(marked: Tensor, batch: int) -> int | None:
    """How many times the samples follow one another along a dimension."""
    first = int(marked.int().argmax())
    rest, remainder = divmod(first, batch - 1)
    if remainder or rest == 0 or len(marked) % (rest * batch):
        return None
    expected = (torch.arange(len(marked), device=marked.device) // rest) % batch == batch - 1
    return len(marked) // (rest * batch) if bool((marked == expected).all()) else None


def mixes(where: str) -> CaptureError:
    """The error for a model that does not treat every sample by itself."""
    return CaptureError(
        f"{where} mixes the samples of a batch: one changes what the model makes of another",
        "a model that treats every sample of a batch by itself",
        "give samples one at a time, or reduce over all dimensions but the batch",
    )
