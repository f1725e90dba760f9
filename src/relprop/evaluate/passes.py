"""Passes: samples with units removed go through the model in whole batches.

Takes a subject, which is everything but the order of removal. Gives the model's outputs.

n  samples      s  steps, so that a curve has s + 1 columns      k  steps in one pass
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..engine.inputs import Inputs
from ..errors import InputError
from .deletion import Deletion, deleted
from .filling import Fill, filled, seeded
from .readings import check_output
from .units import Units


@dataclass(frozen=True)
class Subject:
    """What removal is tried on, and how.

    inputs   what the model is called with; units of the first explained one are removed
    units    which entries go together; counts (1 or n, s + 1): how many units are gone
    becomes  what removed entries become: values (n, *features) that are the same at every step, or
             a fill that gives them for each; or how tokens are deleted
    fill     the name of that
    """

    model: Callable[..., Any]
    inputs: Inputs
    units: Units
    counts: Tensor
    becomes: Tensor | Fill | Deletion
    fill: str
    batch_size: int
    seed: int

    @property
    def x(self) -> Tensor:
        """The input whose entries are removed, (n, *features)."""
        return self.inputs.first


@dataclass(frozen=True)
class Pass:
    """What one forward pass gave: some samples (rows) at some steps (columns) of a curve."""

    rows: slice
    columns: slice
    output: Tensor  # (k * rows, ...), all samples of a step, then all of the next


def untouched(model: Callable[..., Any], inputs: Inputs, batch_size: int) -> Tensor:
    """The model's output for samples as they are, (n, ...)."""
    return torch.cat(
        [output_of(model, _part(inputs, rows)) for rows in blocks(inputs.batch, batch_size)]
    )


def passes(subject: Subject, when: Tensor) -> Iterator[Pass]:
    """The forward passes of all columns but the first.

    when  (n, *sizes) rank of each entry's unit: an entry is gone where that is below the count
    With many samples a pass has a part of them at one step; with few, all of them at several.
    """
    n, last = len(when), subject.counts.shape[1]
    together = max(1, subject.batch_size // n)
    counts = subject.counts.T.reshape(last, -1, *[1] * (when.ndim - 1))  # (s + 1, 1 or n, 1, ...)
    counts = counts.to(when.dtype)  # so that they are compared as they are
    for first in range(1, last, together):
        columns = slice(first, min(first + together, last))
        values = _values(subject, when, counts[columns])
        for rows in blocks(n, subject.batch_size):
            count = counts[columns] if counts.shape[1] == 1 else counts[columns, rows]
            inputs = _without(subject, rows, when[rows], count, values)
            yield Pass(rows, columns, output_of(subject.model, inputs))


def blocks(n: int, size: int) -> list[slice]:
    """Slices of at most `size` samples, as even as can be: a small last batch wastes time."""
    number = -(-n // size)
    edges = [n * i // number for i in range(number + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def output_of(model: Callable[..., Any], inputs: Inputs) -> Tensor:
    """One forward pass. Raises InputError unless it gives finite numbers for each sample."""
    positional, named = inputs.arranged(inputs.values)
    output = model(*positional, **named)
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    if not isinstance(output, Tensor) or output.shape[:1] != (inputs.batch,):
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"a model that returned {got} for a batch of {inputs.batch}",
            'a tensor (n, ...), or a mapping in which "logits" is one',
            "wrap the model so that it returns its scores alone",
        )
    check_output(output)
    # areas of half precision would have two digits
    return output if output.dtype in (torch.float32, torch.float64) else output.float()


def _values(subject: Subject, when: Tensor, counts: Tensor) -> Tensor | Deletion:
    """What removed entries become at some steps, (1 or k, n, *features)."""
    if isinstance(subject.becomes, Deletion):
        return subject.becomes
    if isinstance(subject.becomes, Tensor):
        return subject.becomes[None]
    x, fill = subject.x, subject.becomes
    gone = [(when < count).expand_as(x) for count in counts]
    return torch.stack([filled(fill, x, one, seeded(subject.seed)) for one in gone])


def _without(
    subject: Subject, rows: slice, when: Tensor, count: Tensor, values: Tensor | Deletion
) -> Inputs:
    """The inputs of some samples, once for each step: without entries whose rank is below count.

    when  (rows, *sizes)          count  (k, 1 or rows, 1, ...)
    """
    name, k = subject.inputs.explained[0], len(count)
    inputs, x = _part(subject.inputs, rows, k), subject.x[rows]
    if isinstance(values, Deletion):
        flat = (when < count).expand(k, *x.shape).flatten(0, 1)
        return replace(inputs, values=deleted(values, inputs.values, name, flat))
    if x.is_floating_point():  # torch.where takes several times as long on CPUs
        gone = (count - when).clamp_(0, 1).to(x.dtype)
        changed = torch.lerp(x.expand(k, *x.shape), values[:, rows], gone)
    else:
        changed = torch.where(when < count, values[:, rows], x)
    return replace(inputs, values={**inputs.values, name: changed.flatten(0, 1)})


def _part(inputs: Inputs, rows: slice, times: int = 1) -> Inputs:
    """Some samples, one after the other, as often as is asked for."""
    return inputs.per_sample(lambda t: torch.cat([t[rows]] * times) if times > 1 else t[rows])
