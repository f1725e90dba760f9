"""Passes: samples with units removed go through the model in whole batches.

Takes a subject, which is everything but the order of removal. Gives the model's outputs. A sample
is run in those columns of its curve alone in which it differs from what it was in the one before.

n  samples      s  steps, so that a curve has s + 1 columns      p  samples of one pass
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...graph.inputs import Inputs
from ..fills.base import Fill, filled, seeded
from ..fills.token_deletion import Deletion, deleted
from ..statistics.predictions import check_output
from .units import Units

Values = Callable[[Tensor, Tensor], Tensor]  # (rows (p,), columns (p,)) -> (p, *features)


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
    """What one forward pass gave: some samples (rows), each in some column of its curve."""

    rows: Tensor  # (p,)
    output: Tensor  # (p, ...)


def untouched(model: Callable[..., Any], inputs: Inputs, batch_size: int) -> Tensor:
    """The model's output for samples as they are, (n, ...)."""
    return torch.cat(
        [output_of(model, _part(inputs, rows)) for rows in blocks(inputs.batch, batch_size)]
    )


def differing(subject: Subject, departure: Tensor) -> Tensor:
    """Which samples differ in a column from what they were in the one before, (n, s + 1) boolean.

    departure  (n, *sizes) the first column in which each entry is gone
    All do in the first column; and in every column where tokens are deleted, or the fill depends on
    what is gone.
    """
    shape = len(departure), subject.counts.shape[1]
    if not isinstance(subject.becomes, Tensor):
        return torch.ones(shape, dtype=torch.bool, device=departure.device)
    # what changes nothing falls on the first column; a last one takes what is never gone
    found = torch.zeros(shape[0], shape[1] + 1, dtype=torch.bool, device=departure.device)
    together = [dim for dim in range(1, departure.ndim) if departure.shape[dim] == 1]
    for rows in blocks(shape[0], subject.batch_size):
        changes = subject.x[rows] != subject.becomes[rows]
        changes = changes.any(together, keepdim=True) if together else changes
        columns = departure[rows].where(changes, 0).flatten(1)
        found[rows].scatter_(1, columns.long(), True)
    found[:, 0] = True
    return found[:, :-1]


def passes(subject: Subject, departure: Tensor, run: Tensor) -> Iterator[Pass]:
    """The forward passes of all columns but the first, column by column.

    departure  (n, *sizes) the first column in which each entry is gone
    run        (n, s + 1) boolean: which samples the model is run on in which column
    """
    values = _values(subject, departure)
    columns, rows = run[:, 1:].T.nonzero(as_tuple=True)
    columns = columns + 1
    for part in blocks(len(rows), subject.batch_size):
        where = rows[part], columns[part]
        inputs = _without(subject, departure, *where, values(*where))
        yield Pass(rows[part], output_of(subject.model, inputs))


def blocks(n: int, size: int) -> list[slice]:
    """Slices of at most `size` samples, as even as can be: a small last batch wastes time."""
    number = -(-n // size)
    edges = [n * i // max(1, number) for i in range(number + 1)]
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


def _values(subject: Subject, departure: Tensor) -> Values:
    """What entries become that are removed of some samples (p,) in columns (p,): (p, *features)."""
    x, fill = subject.x, subject.becomes
    if not isinstance(fill, Fill):
        same = fill if isinstance(fill, Tensor) else x  # what is deleted is not replaced
        return lambda rows, columns: same.index_select(0, rows)

    @lru_cache(maxsize=1)  # a pass may end within a column, and the next one goes on there
    def of_all(column: int) -> Tensor:
        gone = (departure <= column).expand_as(x)
        return filled(fill, x, gone, seeded(subject.seed))

    def values(rows: Tensor, columns: Tensor) -> Tensor:
        some = range(int(columns[0]), int(columns[-1]) + 1)
        return torch.cat([of_all(column)[rows[columns == column]] for column in some])

    return values


def _without(
    subject: Subject, departure: Tensor, rows: Tensor, columns: Tensor, values: Tensor
) -> Inputs:
    """The inputs of some samples (p,) without the entries that are gone in columns (p,).

    values  (p, *features) what these become
    """
    # indexing by a tensor takes several times as long on CPUs
    inputs = subject.inputs.per_sample(lambda t: t.index_select(0, rows))
    name, how, since = inputs.explained[0], subject.becomes, departure.index_select(0, rows)
    columns = columns.to(since.dtype).reshape(-1, *[1] * (since.ndim - 1))
    if isinstance(how, Deletion):
        return replace(inputs, values=deleted(how, inputs.values, name, since <= columns))
    changed = _replaced(inputs.first, values, since, columns)
    return replace(inputs, values={**inputs.values, name: changed})


def _replaced(x: Tensor, values: Tensor, since: Tensor, columns: Tensor) -> Tensor:
    """Values where since (p, *sizes) <= columns (p, 1, ...), else x. Writes on x, if it can."""
    if not x.is_floating_point():
        return torch.where(since <= columns, values, x)
    # booleans, and a choice by them, take several times as long on CPUs
    return x.lerp_(values, torch.le(since, columns, out=x.new_empty(since.shape)))


def _part(inputs: Inputs, rows: slice) -> Inputs:
    """Some samples."""
    return inputs.per_sample(lambda t: t[rows])
