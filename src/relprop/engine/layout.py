"""Layouts: which entries of each value belong to which sample, found by trying.

One sample of the batch is made NaN where relevance is taken. NaN spreads to all that is computed
from it, and to nothing else: so it marks the entries of that sample in every value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import CaptureError
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
        parts = value.double().reshape(*before, self.outer, batch, -1, *after)
        return parts.sum([dim for dim in range(parts.ndim) if dim != self.axis + 1])


def find_layouts(
    program: Program, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], batch: int
) -> tuple[dict[str, Layout | None], Tensor]:
    """The layout of each value that depends on the explained input, by name; and the output.

    None where samples stand in an order that depends on the numbers, as where experts sort tokens.
    Raises CaptureError if one sample changes what the model makes of another.
    """
    values: dict[str, Any] = {}
    graph, sources = program.plan.graph, program.plan.sources
    known = graph.given(inputs, state)
    spoiled = {
        label: _spoil(inputs[label]) if name in sources else inputs[label]
        for label, name in graph.inputs.items()
    }
    found: dict[str, Layout | None] = {name: Layout() for name in graph.inputs.values()}
    for step, _ in program.run(spoiled, state, values):
        if step.name in sources:
            last = token_samples(graph, step.node, sources[step.name], known) == batch - 1
            values[step.name] = values[step.name].masked_fill(last[..., None], torch.nan)
        value = values[step.name]
        if isinstance(value, Tensor) and value.is_floating_point():
            found[step.name] = _layout(value.isnan(), batch)
    if found.get(graph.output) != Layout():
        raise mixes(_first_mixed(program, found))
    return found, values[graph.output]


def _first_mixed(program: Program, found: Mapping[str, Layout | None]) -> str:
    """Where samples first stood in no order, as messages name it."""
    nodes = (step.node for step in program.plan.steps if found.get(step.name, True) is None)
    return next((node.where for node in nodes), "the model")


def _spoil(value: Tensor) -> Tensor:
    """The last sample made NaN."""
    return torch.cat([value[:-1], torch.full_like(value[-1:], torch.nan)])


def _layout(nan: Tensor, batch: int) -> Layout | None:
    """The layout whose last sample has all NaN in it; None if there is none."""
    if not bool(nan.any()) or batch == 1:
        return Layout()
    for axis in range(nan.ndim):
        if nan.shape[axis] % batch:
            continue
        marked = nan.flatten(axis + 1).any(-1) if axis + 1 < nan.ndim else nan
        marked = marked.flatten(0, axis - 1).any(0) if axis else marked
        outer = _outer(marked, batch)
        if outer is not None:
            return Layout(axis, outer)
    return None


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
