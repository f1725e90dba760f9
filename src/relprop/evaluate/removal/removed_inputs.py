"""Samples with units removed: the inputs of the model in the columns of a removal curve.

Takes a setup, and the column in which each entry is removed. Gives inputs. Must not know the model,
nor by which relevance units were ordered.

n  samples      s  steps      sizes  of an index of units      p  samples of one forward pass
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ...graph.inputs import Inputs
from ..fills.base import Fill, cpu_generator, fill_values
from ..fills.token_deletion import Deletion, delete_tokens
from .ranking import removal_columns
from .setup import RemovalSetup

InputsAt = Callable[[Tensor, Tensor], Inputs]  # (rows (p,), columns (p,)) -> inputs of p samples


def entry_columns(setup: RemovalSetup, order: Tensor) -> Tensor:
    """Return the first column in which each entry is removed, (n, *sizes).

    The order (n, d) holds units, first removed first. Entries that are never removed have the
    number of columns.
    """
    columns = removal_columns(order, setup.counts)
    return setup.units.expand(columns, outside=setup.counts.shape[1])


def removed_inputs(setup: RemovalSetup, removed_at: Tensor) -> InputsAt:
    """Return a function from samples (rows) and columns to the inputs of the model there.

    Columns must rise from call to call: the values of a fill are computed once per column.
    """
    values_at = _replacement_values(setup, removed_at)

    def inputs_at(rows: Tensor, columns: Tensor) -> Inputs:
        # on CPUs, indexing by a tensor takes several times as long as index_select
        inputs = setup.inputs.per_sample(lambda t: t.index_select(0, rows))
        name, since = inputs.explained[0], removed_at.index_select(0, rows)
        until = columns.to(since.dtype).reshape(-1, *[1] * (since.ndim - 1))
        if isinstance(setup.replacement, Deletion):
            values = delete_tokens(setup.replacement, inputs.values, name, since <= until)
            return replace(inputs, values=values)
        x = _replace_entries(inputs.first, values_at(rows, columns), since, until)
        return replace(inputs, values={**inputs.values, name: x})

    return inputs_at


def changed_columns(setup: RemovalSetup, removed_at: Tensor, slices: list[slice]) -> Tensor:
    """Return in which columns each sample differs from the column before, boolean (n, s + 1).

    All samples do in the first column; and in every column where tokens are deleted, or where the
    fill depends on what is removed. The slices bound how many samples are compared at a time.
    """
    shape = len(removed_at), setup.counts.shape[1]
    if not isinstance(setup.replacement, Tensor):
        return torch.ones(shape, dtype=torch.bool, device=removed_at.device)
    # an entry whose replacement equals it counts for column 0, and one that is never removed for
    # an extra last column, which is cut off: neither changes anything
    changed = torch.zeros(shape[0], shape[1] + 1, dtype=torch.bool, device=removed_at.device)
    shared = [dim for dim in range(1, removed_at.ndim) if removed_at.shape[dim] == 1]
    for rows in slices:
        differs = setup.x[rows] != setup.replacement[rows]
        differs = differs.any(shared, keepdim=True) if shared else differs
        columns = removed_at[rows].where(differs, 0).flatten(1)
        changed[rows].scatter_(1, columns.long(), True)
    changed[:, 0] = True
    return changed[:, :-1]


def _replacement_values(
    setup: RemovalSetup, removed_at: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from rows (p,) and columns (p,) to values of entries, (p, *features)."""
    x, fill = setup.x, setup.replacement
    if not isinstance(fill, Fill):
        constant = fill if isinstance(fill, Tensor) else x  # deleted tokens need no values
        return lambda rows, columns: constant.index_select(0, rows)

    # a forward pass may end within a column, and the next one continues there
    @lru_cache(maxsize=1)
    def whole_column(column: int) -> Tensor:
        removed = (removed_at <= column).expand_as(x)
        return fill_values(fill, x, removed, cpu_generator(setup.seed))

    def values(rows: Tensor, columns: Tensor) -> Tensor:
        span = range(int(columns[0]), int(columns[-1]) + 1)
        return torch.cat([whole_column(column)[rows[columns == column]] for column in span])

    return values


def _replace_entries(x: Tensor, values: Tensor, since: Tensor, until: Tensor) -> Tensor:
    """Return values where since (p, *sizes) <= until (p, 1, ...), else x, in x's memory if it can.

    x is a copy that this module made.
    """
    if not x.is_floating_point():
        return torch.where(since <= until, values, x)
    # on CPUs, a boolean mask and a choice by it take several times as long
    return x.lerp_(values, torch.le(since, until, out=x.new_empty(since.shape)))
