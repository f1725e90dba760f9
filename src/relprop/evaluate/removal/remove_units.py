"""The samples themselves with units removed, as a removal curve passes them to the model.

Takes a batch and relevance. Gives a batch. Must not know the model.

n  samples      d  units of a sample
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..sanity.call_method import not_a_tensor
from .ranking import Order
from .removed_inputs import entry_columns, removed_inputs
from .setup import Filling, prepare_removal
from .steps import share_counts
from .unit_order import check_unit_order, order_units
from .unit_relevance import aggregate_over_units
from .units import UnitMaker, Units


def remove_units(
    x: Tensor | Mapping[str, Any],
    relevance: Tensor | None,
    q: float,
    *,
    order: Order | Tensor = "morf",
    fill: Filling = "zero",
    units: Units | UnitMaker | None = None,
    remove_from: str | None = None,
    seed: int = 0,
) -> Any:
    """Remove the share q of each sample's units, as `removal_curve` does.

    With the same arguments, and the same samples in the batch, it is what the model is run on at
    that step of the curve: for images to look at, or for a model outside this package.

    Args:
        x: Samples, (n, *features), or a mapping of keyword inputs; they are not changed.
        relevance: Relevance shaped like `x`, or one number per unit (n, d); None for orders that
            do not need it.
        q: Share of the units to remove, in (0, 1], rounded to the nearest number of units.
        order: "morf", "lerf", "random", or a permutation of the units for each sample, (n, d).
        fill: What replaces removed entries, as for `removal_curve`.
        units: What is removed together, as for `removal_curve`.
        remove_from: Name of the input to remove from, if `x` is a mapping; None: the first tensor.
        seed: Random seed of the random order, of ties, and of random fills.

    Returns:
        A new tensor of the shape of `x`; or a new mapping, if `x` is one.

    Raises:
        InputError: An argument is wrong, or q is less than half a unit.

    Example:
        >>> x = torch.tensor([[3.0, 1.0, 2.0, 5.0]])
        >>> remove_units(x, relevance=x, q=0.5).tolist()
        [[0.0, 1.0, 2.0, 0.0]]
        >>> remove_units(x, x, 0.25, order="lerf", fill=9.0).tolist()
        [[3.0, 9.0, 2.0, 5.0]]
    """
    if relevance is not None and not isinstance(relevance, Tensor):
        raise not_a_tensor(relevance, "relevance")
    setup = prepare_removal(
        *(_no_model, x), fill=fill, steps=1, units=units, remove_from=remove_from, seed=seed
    )
    counts = share_counts(q, setup.units.count)[:, None]
    setup = replace(setup, counts=torch.cat([torch.zeros_like(counts), counts], 1))
    check_unit_order(setup, relevance, order)
    per_unit = None if relevance is None else aggregate_over_units(setup, relevance)
    with torch.no_grad():
        removed_at = entry_columns(setup, order_units(setup, per_unit, order).units)
        rows = torch.arange(len(setup.x), device=setup.x.device)
        inputs = removed_inputs(setup, removed_at)(rows, torch.ones_like(rows))
    return inputs.first if isinstance(x, Tensor) else dict(inputs.values)


def _no_model(x: object) -> None:
    """Stand in for a model, which only curves run."""
