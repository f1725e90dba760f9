"""Scores: which quantity of the model's output a curve follows, one number per sample.

Takes an output, what its numbers are, and the class of each sample. Must not know what was removed
from the input.

output  (n, c)      target  (n,) classes      score  (n,)

Of a model with one unit, (n,) or (n, 1), the target is not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...explanation.targets import names_unit, resolve_target
from ...support.checks import is_classification, require_classes
from ...support.margin import margin
from ...support.output_kinds import OutputKind, has_one_unit
from ...support.separate_samples import mixes_values, same_alone
from ..statistics.predictions import class_probabilities

Score = Callable[[Tensor, Tensor, OutputKind], Tensor]  # (output, target, kind) -> (n,)


@dataclass(frozen=True)
class NamedScore:
    """A score, with the name that curves carry.

    Attributes:
        name: Name of the score.
        function: (output, target, kind of output) -> (n,).
    """

    name: str
    function: Score


def probability(output: Tensor, target: Tensor, kind: OutputKind = "logits") -> Tensor:
    """Return the target's probability: of logits its entry of softmax(output)."""
    return logit(class_probabilities(output, kind), target)


def logit(output: Tensor, target: Tensor, kind: OutputKind = "logits") -> Tensor:
    """Return the target's entry of the output, whatever that is."""
    if has_one_unit(output):
        return output.reshape(-1)
    return output.gather(1, target[:, None]).squeeze(1)


def signed_margin(output: Tensor, target: Tensor, kind: OutputKind = "logits") -> Tensor:
    """Return (p_target - the largest other p) / the larger of the two.

    It equals "margin" where the target is predicted, and is negative where it is not.
    """
    p = class_probabilities(output, kind)
    own = logit(p, target)
    other = p.scatter(1, target[:, None], -1.0).amax(1)
    return (own - other) / torch.maximum(own, other)


def accuracy(output: Tensor, target: Tensor, kind: OutputKind = "logits") -> Tensor:
    """Return 1 where the target is predicted, else 0."""
    return (output.argmax(1) == target).to(output.dtype)


def _margin(output: Tensor, target: Tensor, kind: OutputKind = "logits") -> Tensor:
    return margin(class_probabilities(output, kind), "scores")


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "probability": probability,
        "logit": logit,
        # of the predicted class, whichever it is: it rises again once another is predicted
        "margin": _margin,
        "signed_margin": signed_margin,
        "accuracy": accuracy,
    }
)


def as_score(score: Any) -> NamedScore:
    """Return what the user passed as a score: a name, or a function of the output alone."""
    if callable(score):
        name = getattr(score, "__name__", "custom")
        return NamedScore(name, lambda output, target, kind: _custom_score(score, output))
    if not isinstance(score, str) or score not in SCORES:
        raise InputError(
            f"score={score!r}",
            f"one of {', '.join(SCORES)}; or a function from the output to (n,)",
            'write score="probability"',
        )
    return NamedScore(score, SCORES[score])


def resolve_target_classes(
    output: Tensor, target: Any, score: str, kind: OutputKind = "other"
) -> Tensor | None:
    """Return the class that is scored for each sample, (n,), from the original samples' output.

    Args:
        output: Output for the original samples.
        target: None for the predicted class; one class; or one class per sample.
        score: Name of the score.
        kind: What the numbers of the output are; "other" where that is not known.

    Returns:
        Classes, (n,); None for one unit, and for a custom score of an output without classes.

    Raises:
        InputError: The score needs classes that the output does not have.
    """
    if score in SCORES and has_one_unit(output):
        _check_unit(output, target, score, kind)
        return None
    if score in SCORES:
        require_classes(
            output,
            f'score="{score}" of an output',
            "pass a function from the output to one number per sample as score",
            allowed="(n, classes), or one number per sample",
        )
    return _target_classes(output, target) if is_classification(output) else None


def _check_unit(output: Tensor, target: Any, score: str, kind: OutputKind) -> None:
    """Raise InputError for a target or a score that a model with one unit does not have."""
    shape, known = tuple(output.shape), kind not in ("logits", "other")
    if not names_unit(target):
        given = f"target={target!r} of an output of shape {shape}"
        raise InputError(given, "no target, for the one unit", "leave target out")
    if score == "logit" or (score == "probability" and known):
        return
    todo = 'write score="probability"' if known else 'write score="logit"'
    if kind == "other":
        todo += "; or, with an explanation e of a model that ends with a sigmoid, "
        todo += 'score="probability", output_kind=e.head.kind'
    raise InputError(
        f'score="{score}" of an output of shape {shape}',
        'of one number per sample, score="logit" for the output itself, or score="probability" '
        "where output_kind says that it is one",
        todo,
    )


def _target_classes(output: Tensor, target: Any) -> Tensor:
    classes = None if isinstance(target, list) else resolve_target(output, output, target)[1]
    if classes is None or classes.ndim != 1:
        raise InputError(
            f"target={target!r} of a curve",
            "None for the predicted class, one class, or a tensor with one class per sample",
            "for anything else pass a function of the output as score",
        )
    return classes


def _custom_score(score: Callable[[Tensor], Tensor], output: Tensor) -> Tensor:
    scores = score(output)
    if not isinstance(scores, Tensor) or scores.shape != output.shape[:1]:
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise InputError(
            f"a score that returned {got} for a batch of {len(output)}",
            "a tensor with one number per sample",
            "write for example score=lambda output: output[:, 3] - output[:, 5]",
        )
    return scores


def refuse_mixing_score(score: Callable[[Tensor], Tensor], output: Tensor, scores: Tensor) -> None:
    """Raise InputError for a score of the user's that depends on other samples, too.

    Args:
        score: The function.
        output: Output for the original samples.
        scores: What the function returned of it.
    """
    if not same_alone(score, output, scores) and mixes_values(score, output, scores):
        raise InputError(
            "a score that mixes the samples of a batch: what it returns for one depends on the "
            "output of another",
            "a function whose entry i is computed from output[i] alone",
            "keep the first dimension, as lambda output: output.flatten(1).amax(1) does, and "
            "reduce over all others only",
        )
