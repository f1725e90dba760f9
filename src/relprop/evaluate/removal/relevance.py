"""Relevance, as the user gives it: a tensor, or a function that makes one; here it is of units.

n  samples      d  units of one sample
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..sanity.call_method import call_in_batches, not_a_tensor
from .forward_passes import Subject
from .ranking import check_relevance

# (n, *features), or (n, d), a number for each unit; or a function of (model, x, target) to these
Relevance = Tensor | Callable[[Any, Any, Tensor | None], Tensor]


def early(subject: Subject, relevance: Any) -> Relevance:
    """Relevance of each unit, (n, d); a function as it is, because it needs the target."""
    if isinstance(relevance, Tensor):
        return _of_units(subject, relevance)
    if not callable(relevance):
        raise not_a_tensor(relevance, "relevance")
    function: Relevance = relevance
    return function


def late(subject: Subject, relevance: Relevance, target: Tensor | None) -> Tensor:
    """Relevance of each unit, (n, d), once the target is known.

    relevance  as `early` gives it; a function is called with batch_size samples at most
    """
    if isinstance(relevance, Tensor):
        return relevance
    found = call_in_batches(relevance, subject.model, subject.inputs, target, subject.batch_size)
    return _of_units(subject, found)


def _of_units(subject: Subject, relevance: Tensor) -> Tensor:
    found = subject.units.gather(relevance.to(subject.x.device), subject.x)
    check_relevance(found, "morf")
    return found
