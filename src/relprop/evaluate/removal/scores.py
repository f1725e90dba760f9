"""Scores: what of the model's output a curve follows, one number for each sample.

output  (n, c), not normalised      target  (n,) classes      score  (n,)
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...explanation.targets import resolve_target
from ...support.margin import margin

Score = Callable[[Tensor, Tensor], Tensor]  # (output, target) -> (n,)


def probability(output: Tensor, target: Tensor) -> Tensor:
    """The target's entry of softmax(output). For outputs that are probabilities, take "logit"."""
    return logit(output.softmax(1), target)


def logit(output: Tensor, target: Tensor) -> Tensor:
    """The target's entry of the output, as it is."""
    return output.gather(1, target[:, None]).squeeze(1)


def signed_margin(output: Tensor, target: Tensor) -> Tensor:
    """(p_target - the largest other p) / the larger of the two: the margin with a sign.

    It equals "margin" where the target is predicted, and is negative where it is not.
    """
    p = output.softmax(1)
    own = logit(p, target)
    other = p.scatter(1, target[:, None], -1.0).amax(1)
    return (own - other) / torch.maximum(own, other)


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """1 where the target is predicted, else 0."""
    return (output.argmax(1) == target).to(output.dtype)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "probability": probability,
        "logit": logit,
        # of the class that leads, whichever it is: it rises again once another leads
        "margin": lambda output, target: margin(output),
        "signed_margin": signed_margin,
        "accuracy": accuracy,
    }
)


def as_score(score: Any) -> tuple[str, Score]:
    """What the user gave as a score: a name, or a function of the output alone."""
    if callable(score):
        return getattr(score, "__name__", "custom"), lambda output, target: _own(score, output)
    if not isinstance(score, str) or score not in SCORES:
        raise InputError(
            f"score={score!r}",
            f"one of {', '.join(SCORES)}; or a function from the output to (n,)",
            'write score="probability"',
        )
    return score, SCORES[score]


def resolve(output: Tensor, target: Any, score: str) -> Tensor | None:
    """The classes (n,) that a curve follows, by the output for untouched samples.

    target  None: what is predicted; a class; a class for each sample
    None for a score of one's own and an output that has no classes.
    Raises InputError where the score needs classes that the output does not have.
    """
    if output.ndim == 2 and output.shape[1] >= 2:
        return _classes(output, target)
    if score not in SCORES:
        return None
    single = output.ndim == 2 and (target is None or (isinstance(target, int) and target == 0))
    if score == "logit" and single:
        return torch.zeros(len(output), dtype=torch.long, device=output.device)
    raise InputError(
        f'score="{score}" of a model whose output has shape {tuple(output.shape)}',
        '(n, classes) with at least two classes; of a single score (n, 1), score="logit"',
        "give a function from the output to one number for each sample as score",
    )


def _classes(output: Tensor, target: Any) -> Tensor:
    found = None if isinstance(target, list) else resolve_target(output, target)[1]
    if found is None or found.ndim != 1:
        raise InputError(
            f"target={target!r} of a curve",
            "None for what is predicted, a class, a tensor with a class for each sample",
            "for anything else give a function of the output as score",
        )
    return found


def _own(score: Callable[[Tensor], Tensor], output: Tensor) -> Tensor:
    found = score(output)
    if not isinstance(found, Tensor) or found.shape != output.shape[:1]:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(
            f"a score that returned {got} for a batch of {len(output)}",
            "a tensor with one number for each sample",
            "write for example score=lambda output: output[:, 3] - output[:, 5]",
        )
    return found
