"""Relevance per unit, from what the user passes: a tensor, or a function that computes one.

Takes a setup and relevance of any source. Gives one number per unit. Must not know in which order
units are removed.

n  samples      d  units of a sample
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..sanity.call_method import call_in_batches, not_a_tensor, refuse_other_arguments
from .ranking import check_relevance
from .setup import RemovalSetup

# (n, *features), or (n, d), one number per unit; or a function (model, x, target) that returns it
Relevance = Tensor | Callable[[Any, Any, Tensor | None], Tensor]


def prepare_relevance(setup: RemovalSetup, relevance: Any) -> Relevance:
    """Aggregate a tensor over units, (n, d); return a function as it is.

    A function needs the target, which is known only after the first forward pass.
    """
    if isinstance(relevance, Tensor):
        return aggregate_over_units(setup, relevance)
    if not callable(relevance):
        raise not_a_tensor(relevance, "relevance")
    refuse_other_arguments(relevance)
    function: Relevance = relevance
    return function


def compute_unit_relevance(
    model: Callable[..., Any], setup: RemovalSetup, relevance: Relevance, target: Tensor | None
) -> Tensor:
    """Return relevance per unit, (n, d): a function is called now, in batches."""
    if isinstance(relevance, Tensor):
        return relevance
    result = call_in_batches(relevance, model, setup.inputs, target, setup.batch_size)
    return aggregate_over_units(setup, result)


def aggregate_over_units(setup: RemovalSetup, relevance: Tensor) -> Tensor:
    """Sum relevance over the entries of each unit, (n, d). Raises InputError for NaN."""
    per_unit = setup.units.aggregate(relevance.to(setup.x.device), setup.x)
    check_relevance(per_unit, "morf")
    return per_unit
