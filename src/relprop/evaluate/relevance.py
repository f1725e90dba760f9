"""Relevance, as the user gives it: a tensor, or a function that makes one; here it is of units.

n  samples      d  units of one sample
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .passes import Subject, blocks
from .ranking import check_relevance

# (n, *features), or (n, d), a number for each unit; or a function of (model, x, target) to these
Relevance = Tensor | Callable[[Any, Any, Tensor | None], Tensor]


def early(subject: Subject, relevance: Any) -> Relevance:
    """Relevance of each unit, (n, d); a function as it is, because it needs the target."""
    if isinstance(relevance, Tensor):
        return _of_units(subject, relevance)
    if not callable(relevance):
        raise _no_tensor(relevance, "relevance")
    function: Relevance = relevance
    return function


def late(subject: Subject, relevance: Relevance, target: Tensor | None) -> Tensor:
    """Relevance of each unit, (n, d), once the target is known.

    relevance  as `early` gives it; a function is called with batch_size samples at most
    """
    if isinstance(relevance, Tensor):
        return relevance
    parts = []
    for rows in blocks(len(subject.x), subject.batch_size):
        inputs = subject.inputs.per_sample(lambda t, rows=rows: t[rows])  # type: ignore[misc]
        x = inputs.first if inputs.positional else dict(inputs.values)
        with torch.enable_grad():  # many methods need gradients
            parts.append(relevance(subject.model, x, None if target is None else target[rows]))
    if not all(isinstance(part, Tensor) for part in parts):
        raise _no_tensor(parts[0], "what the relevance function gave")
    return _of_units(subject, torch.cat(parts))


def _of_units(subject: Subject, relevance: Tensor) -> Tensor:
    found = subject.units.gather(relevance.to(subject.x.device), subject.x)
    check_relevance(found, "morf")
    return found


def _no_tensor(given: object, name: str) -> InputError:
    return InputError(
        f"{name} of type {type(given).__name__}",
        "a torch.Tensor, or a function (model, x, target) -> tensor",
        "write torch.as_tensor(relevance), or of an explanation its .relevance",
    )
