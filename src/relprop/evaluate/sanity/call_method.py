"""Asking a method for relevance: a function (model, x, target) -> relevance, called in batches.

Takes any such function; what it gives is checked here. Must not know what is asked, and why.

n  samples
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...graph.inputs import Inputs
from ..maps.concentration import check_finite_relevance
from ..removal.forward_passes import blocks, untouched
from ..removal.scores import resolve
from ..removal.subject import check_settings, inputs_of

RelevanceFunction = Callable[[Any, Any, Tensor], Tensor]  # (model, x, target) -> (n, *features)


@dataclass(frozen=True)
class Question:
    """What a method is asked: of these samples, for these classes (n,)."""

    model: Callable[..., Any]
    inputs: Inputs
    target: Tensor
    classes: int  # of the model
    method: RelevanceFunction
    batch_size: int

    @property
    def x(self) -> Tensor:
        """The input of which relevance is asked, (n, *features)."""
        return self.inputs.first


def question(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    method: Any,
    target: int | Tensor | None,
    batch_size: int,
) -> Question:
    """A question about what the user gave. Raises InputError for what is wrong with it.

    target  None: what the model predicts; a class; a class for each sample (n,)
    """
    check_settings(model, batch_size)
    if not callable(method) or isinstance(method, Tensor):
        raise InputError(
            f"relevance of type {type(method).__name__}",
            "a function (model, x, target) -> tensor, because it is asked several times",
            "write relprop.Method(explainer), or a function of your own",
        )
    inputs = inputs_of(model, x, None)
    with torch.no_grad():
        output = untouched(model, inputs, batch_size)
    found = resolve(output, target, "logit")
    assert found is not None  # "logit" is a score that needs classes
    return Question(model, inputs, found, output.shape[1], method, batch_size)


def relevance_of(asked: Question) -> Tensor:
    """The answer, (n, *features), finite."""
    found = called(asked.method, asked.model, asked.inputs, asked.target, asked.batch_size)
    check_finite_relevance(found)
    if len(found) != asked.inputs.batch:
        raise InputError(
            f"relevance of {len(found)} samples, of {asked.inputs.batch}",
            "(n, *features): one relevance for each sample",
            "return the relevance of the very batch that the function is called with",
        )
    return found


def called(
    method: Callable[[Any, Any, Any], Any],
    model: Callable[..., Any],
    inputs: Inputs,
    target: Tensor | None,
    batch_size: int,
) -> Tensor:
    """What a method gives, called with at most batch_size samples at a time, without history."""
    parts = []
    for rows in blocks(inputs.batch, batch_size):
        some = inputs.per_sample(lambda t, rows=rows: t[rows])  # type: ignore[misc]
        x = some.first if some.positional else dict(some.values)
        with torch.enable_grad():  # many methods need gradients
            part = method(model, x, None if target is None else target[rows])
        if not isinstance(part, Tensor):
            raise no_tensor(part, "what the relevance function gave")
        parts.append(part.detach())
    return torch.cat(parts)


def no_tensor(given: object, name: str) -> InputError:
    """The error for relevance that is no tensor."""
    return InputError(
        f"{name} of type {type(given).__name__}",
        "a torch.Tensor, or a function (model, x, target) -> tensor",
        "write torch.as_tensor(relevance), or of an explanation its .relevance",
    )
