"""Targets: which scores are explained, as initial relevance per unit of these.

output  the model's output, (batch, classes) or (batch, ...): says which class is predicted
scores  what is explained: the output, or its logits where it ends with a sigmoid or softmax of
        them, of its shape
c       of its shape; the initial relevance is scores * c
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..support.checks import is_classification
from ..support.output_kinds import has_one_unit, largest_class, second_class
from .target_advice import (
    TEXTS,
    bad_target,
    class_of_one_unit,
    no_class_numbers,
    no_classes,
    unknown_text,
    wrong_entry,
    wrong_index,
)
from .target_function import gradient_of


@dataclass(frozen=True)
class At:
    """One entry of each sample's output, as a target; see `at`."""

    index: tuple[int, ...]


def at(*index: int) -> At:
    """Name one entry of each sample's output as a target: the score of a token, a pixel, a box.

    Args:
        index: One index for each dimension of the output without the batch axis.

    Returns:
        A target for `Explainer.__call__`.

    Raises:
        InputError: An index is not an integer.

    Example:
        >>> import torch, relprop
        >>> model = torch.nn.Linear(3, 1).eval()  # one score per sample: no classes
        >>> relprop.explain(model, torch.ones(2, 3), target=relprop.at(0)).relevance.shape
        torch.Size([2, 3])
    """
    try:
        return At(tuple(map(_as_index, index or (None,))))
    except TypeError:
        raise wrong_index(index) from None


def _as_index(one: Any) -> int:
    """Return an integer of Python, numpy or torch. Raises TypeError for what is none."""
    if isinstance(one, (bool, np.bool_)):
        raise TypeError
    return operator.index(one)


class ResolvedTarget(NamedTuple):
    """A target, given the model's output.

    Attributes:
        c: Initial relevance per unit of score, of the output's shape.
        classes: The class of each sample, (batch,), or (batch, 2) for a contrast pair; None for
            what is no class.
        one_hot: Whether c is known to be 1 at one entry of each sample and 0 elsewhere.
        words: What was asked for.
    """

    c: Tensor
    classes: Tensor | None
    one_hot: bool = False
    words: str = ""


Target = int | str | Tensor | At | tuple[Any, Any] | Callable[[Tensor], Tensor] | list[Any] | None


def resolve_targets(
    output: Tensor, scores: Tensor, target: Target, start: int = 0
) -> tuple[list[ResolvedTarget], bool]:
    """Resolve each target as `resolve_target` does, and tell whether several were asked for."""
    targets, several = _list_targets(scores, target)
    return [resolve_target(output, scores, one, start) for one in targets], several


def _list_targets(output: Tensor, target: Target) -> tuple[list[Any], bool]:
    if isinstance(target, str) and target == "all":
        if has_one_unit(output):
            return [0], True
        _check_classes(output, target)
        return list(range(output.shape[1])), True
    if not isinstance(target, list):
        return [target], False
    if not target or any(isinstance(one, list) for one in target):
        raise bad_target(
            "a list that is empty or has lists in it", 'write ["predicted", "runner-up"]'
        )
    return target, True


def resolve_target(output: Tensor, scores: Tensor, target: Any, start: int = 0) -> ResolvedTarget:
    """Compute the initial relevance per unit of score, and the class or classes of a target.

    For class k, c is 1 at k; for a pair (a, b), 1 at a and -1 at b; for a function, its gradient,
    so that the relevance at the scores is scores * gradient, which sums to the function's value
    where that is linear in the scores.

    Args:
        output: The model's output, (batch, ...).
        scores: The output itself, or its logits, of its shape.
        target: One target; see `target_advice.ALLOWED`.
        start: Index of the first sample in the caller's batch, for errors.

    Raises:
        InputError: The target is none of `target_advice.ALLOWED`.
    """
    if callable(target):
        c = gradient_of(target, scores)
        return ResolvedTarget(c, None, words="a function of the output")
    if isinstance(target, At):
        c = _one_entry(scores, target)
        classes = c.argmax(1) if is_classification(scores) else None
        return ResolvedTarget(c, classes, True, f"at({', '.join(map(str, target.index))})")
    if isinstance(target, tuple):
        return _contrast(output, scores, target, start)
    if scores.numel() == len(scores) and names_unit(target):  # one unit
        return ResolvedTarget(torch.ones_like(scores), None, True, "the output")
    classes = _classes(output, scores, target)
    return ResolvedTarget(_one_hot(scores, classes), classes, True, words_of(target))


def words_of(target: Any) -> str:
    """Say which classes were asked for."""
    if target is None:
        return "predicted"
    if isinstance(target, (str, int)):
        return target if isinstance(target, str) else f"class {target}"
    return "one class per sample" if getattr(target, "ndim", 1) else f"class {int(target)}"


def names_unit(target: Any) -> bool:
    """Tell whether a target of a model with one unit means that unit."""
    if isinstance(target, str):
        return target == "predicted"
    return target is None or (type(target) is int and target == 0)


def refuse_masked(scores: Tensor, resolved: Sequence[ResolvedTarget], start: int) -> None:
    """Raise InputError for a target whose logit is infinite: the model masks that class."""
    for one in resolved:
        masked = ((one.c != 0) & ~scores.isfinite()).reshape(len(scores), -1).any(1)
        if bool(masked.any()):
            sample = start + int(masked.nonzero()[0, 0])
            given = f"an entry with an infinite logit for sample {sample}, which the model masks"
            raise bad_target(given, "explain an entry that is not masked")


def stack_classes(classes: Sequence[Tensor | None]) -> Tensor | None:
    """Stack the classes of several targets, (batch, targets) or (batch, targets, 2).

    Returns None if they have different shapes, or none is a class.
    """
    shapes = {None if one is None else one.shape for one in classes}
    known = [one for one in classes if one is not None]
    return torch.stack(known, dim=1) if len(shapes) == 1 and known else None


def _contrast(output: Tensor, scores: Tensor, pair: tuple[Any, ...], start: int) -> ResolvedTarget:
    if len(pair) != 2:
        raise bad_target(f"a tuple of {len(pair)}", "write (a, b), or a list for several targets")
    one, other = (resolve_target(output, scores, part) for part in pair)
    (c_a, a), (c_b, b) = one[:2], other[:2]
    equal = (c_a == c_b).reshape(len(output), -1).all(1)
    if bool(equal.any()):
        given = f"a pair of equal classes for sample {start + int(equal.nonzero()[0, 0])}"
        raise bad_target(given, "contrast two different classes")
    unlike = a is None or b is None or a.ndim > 1 or b.ndim > 1
    classes = None if unlike else torch.stack([a, b], dim=1)  # type: ignore[list-item]
    return ResolvedTarget(c_a - c_b, classes, words=f"{one.words} against {other.words}")


def _one_hot(output: Tensor, classes: Tensor) -> Tensor:
    return torch.zeros_like(output).scatter_(1, classes.unsqueeze(1), 1)


def _one_entry(output: Tensor, entry: At) -> Tensor:
    sizes = output.shape[1:]
    fits = len(entry.index) == len(sizes)
    if not fits or any(not -n <= i < n for i, n in zip(entry.index, sizes, strict=True)):
        raise wrong_entry(entry.index, output.shape)
    c = torch.zeros_like(output)
    c.movedim(0, -1)[entry.index] = 1
    return c


def _check_classes(output: Tensor, target: object) -> None:
    """Raise InputError unless the model's output is (batch, classes), with two at least."""
    if is_classification(output):
        return
    if has_one_unit(output):
        raise class_of_one_unit(target, output.shape)
    raise no_classes(output.shape, target)


def _classes(output: Tensor, scores: Tensor, target: Any) -> Tensor:
    if isinstance(target, str) and target not in TEXTS:
        raise unknown_text(target)
    _check_classes(output, target)
    if target is None or (isinstance(target, str) and target == "predicted"):
        return output.argmax(1) if scores is output else largest_class(output, scores)
    if isinstance(target, str):
        if target != "runner-up":
            raise bad_target('"all" beside another', 'write target="all" alone')
        return second_class(output, scores)
    batch, count = output.shape
    return _in_range(_labels(target, batch, count), count).to(output.device)


def fixed_classes(target: Any, shape: Sequence[int | None], batch: int) -> Tensor | None:
    """Return the classes (batch,) that a target means whatever the output is.

    Args:
        target: One target.
        shape: That of the output.
        batch: Number of samples.

    Returns:
        None for the predicted class.

    Raises:
        InputError: The target depends on the output in another way.
    """
    if len(shape) != 2 or shape[1] is None:
        raise bad_target(f"a class of an output of shape {tuple(shape)}", "leave compile=True out")
    if target is None or (isinstance(target, str) and target == "predicted"):
        return None
    if isinstance(target, str) and target not in TEXTS:
        raise unknown_text(target)
    if not isinstance(target, (int, Tensor)):
        what = repr(target) if isinstance(target, str) else f"a {type(target).__name__}"
        allowed = 'None or "predicted", a class, or one class per sample as a tensor'
        raise bad_target(f"{what} with compile=True", "leave compile=True out", allowed)
    return _in_range(_labels(target, batch, shape[1]), shape[1])


def check_per_sample(target: Any, batch: int) -> None:
    """Raise InputError for one class per sample of another number of samples, however nested."""
    if isinstance(target, (list, tuple)):
        for one in target:
            check_per_sample(one, batch)
    shape = getattr(target, "shape", ())
    if len(shape) == 1 and shape != (batch,):
        raise _not_per_sample(shape, batch)


def _not_per_sample(shape: Sequence[int], batch: int) -> InputError:
    given = f"of shape {tuple(shape)} for a batch of {batch}"
    return bad_target(given, "give one class per sample, or one int for all")


def _in_range(labels: Tensor, count: int) -> Tensor:
    if bool(((labels < 0) | (labels >= count)).any()):
        wrong = labels[(labels < 0) | (labels >= count)][0].item()
        raise bad_target(f"class {wrong} of a model with {count} classes", f"give 0 to {count - 1}")
    return labels


def _labels(target: Any, batch: int, count: int) -> Tensor:
    if isinstance(target, bool):
        raise bad_target(repr(target), "give a class number")
    try:
        labels = target if isinstance(target, Tensor) else torch.as_tensor(target, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise bad_target(f"a {type(target).__name__}", "give class numbers") from None
    wrong = no_class_numbers(labels, count, target)
    if wrong is not None:
        raise wrong
    if labels.ndim > 0 and labels.shape != (batch,):
        raise _not_per_sample(labels.shape, batch)
    return labels.to(torch.long, copy=True).expand(batch)  # the explanation holds them
