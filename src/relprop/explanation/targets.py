"""Targets: which scores are explained, as initial relevance per unit of these.

output  the model's output, (batch, classes) or (batch, ...): says which class is predicted
scores  what is explained: the output, or its logits where it ends with a sigmoid or softmax of
        them, of its shape
c       of its shape; the initial relevance is scores * c
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..support.checks import is_classification
from ..support.output_kinds import has_one_unit, largest_class, second_class


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
    if not index or any(isinstance(i, bool) or not isinstance(i, int) for i in index):
        raise InputError(
            f"at{index}", "one integer for each dimension of a sample's output", "at(0)"
        )
    return At(index)


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

ALLOWED = (
    'None or "predicted", a class, one class per sample as a tensor, "runner-up", at(...), '
    'a pair (a, b) of these, a function of the output, or a list of these or "all" for several'
)


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
        _check_classes(output)
        return list(range(output.shape[1])), True
    if not isinstance(target, list):
        return [target], False
    if not target or any(isinstance(one, list) for one in target):
        raise _bad("a list that is empty or has lists in it", 'write ["predicted", "runner-up"]')
    return target, True


def resolve_target(output: Tensor, scores: Tensor, target: Any, start: int = 0) -> ResolvedTarget:
    """Compute the initial relevance per unit of score, and the class or classes of a target.

    For class k, c is 1 at k; for a pair (a, b), 1 at a and -1 at b; for a function, its gradient,
    so that the relevance at the scores is scores * gradient, which sums to the function's value
    where that is linear in the scores.

    Args:
        output: The model's output, (batch, ...).
        scores: The output itself, or its logits, of its shape.
        target: One target; see `ALLOWED`.
        start: Index of the first sample in the caller's batch, for errors.

    Raises:
        InputError: The target is none of `ALLOWED`.
    """
    if callable(target):
        return ResolvedTarget(_gradient(scores, target), None, words="a function of the output")
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
            raise _bad(given, "explain an entry that is not masked")


def refuse_list_of_classes(target: list[Any], batch: int) -> None:
    """Raise InputError for a list of as many class numbers as samples, which may mean two things.

    Args:
        target: A list of targets.
        batch: Number of samples in the whole batch.
    """
    if len(target) != batch or batch == 1 or not all(map(_is_class_number, target)):
        return
    numbers = [int(one) for one in target]
    raise _bad(
        f"a list of {batch} classes for a batch of {batch}, which may mean one class per sample, "
        f"or {batch} classes of every sample",
        f"write target=torch.tensor({numbers}) for one class per sample, or "
        f"target=[relprop.at(k) for k in {numbers}] for all of these classes of every sample",
    )


def _is_class_number(one: Any) -> bool:
    if isinstance(one, Tensor):
        return one.ndim == 0 and not one.is_floating_point() and one.dtype is not torch.bool
    return isinstance(one, (int, np.integer)) and not isinstance(one, bool)


def stack_classes(classes: Sequence[Tensor | None]) -> Tensor | None:
    """Stack the classes of several targets, (batch, targets) or (batch, targets, 2).

    Returns None if they have different shapes, or none is a class.
    """
    shapes = {None if one is None else one.shape for one in classes}
    known = [one for one in classes if one is not None]
    return torch.stack(known, dim=1) if len(shapes) == 1 and known else None


def _contrast(output: Tensor, scores: Tensor, pair: tuple[Any, ...], start: int) -> ResolvedTarget:
    if len(pair) != 2:
        raise _bad(f"a tuple of {len(pair)}", "write (a, b), or a list for several targets")
    (c_a, a, _, words_a), (c_b, b, _, words_b) = (
        resolve_target(output, scores, one) for one in pair
    )
    equal = (c_a == c_b).reshape(len(output), -1).all(1)
    if bool(equal.any()):
        given = f"a pair of equal classes for sample {start + int(equal.nonzero()[0, 0])}"
        raise _bad(given, "contrast two different classes")
    unlike = a is None or b is None or a.ndim > 1 or b.ndim > 1
    classes = None if unlike else torch.stack([a, b], dim=1)  # type: ignore[list-item]
    return ResolvedTarget(c_a - c_b, classes, words=f"{words_a} against {words_b}")


def _bad(given: str, todo: str, allowed: str = ALLOWED) -> InputError:
    return InputError(f"target is {given}", allowed, todo)


def _one_hot(output: Tensor, classes: Tensor) -> Tensor:
    return torch.zeros_like(output).scatter_(1, classes.unsqueeze(1), 1)


def _one_entry(output: Tensor, entry: At) -> Tensor:
    sizes = output.shape[1:]
    fits = len(entry.index) == len(sizes)
    if not fits or any(not -n <= i < n for i, n in zip(entry.index, sizes, strict=True)):
        given = f"at{entry.index} of an output of shape {tuple(output.shape)}"
        raise _bad(given, f"give one index for each of the sizes {tuple(sizes)}")
    c = torch.zeros_like(output)
    c.movedim(0, -1)[entry.index] = 1
    return c


def _check_classes(output: Tensor) -> None:
    """Raise InputError unless the model's output is (batch, classes), with two at least."""
    if is_classification(output):
        return
    if has_one_unit(output):
        raise InputError(
            f"a class as target for a model with one unit, of output {tuple(output.shape)}",
            "no target, for that unit; or a function of it",
            "leave target out, or for what speaks against the unit write "
            "target=lambda scores: -scores.flatten()",
        )
    sizes = ", ".join(str(size) for size in output.shape[1:])
    raise InputError(
        f"a class as target for a model whose output has shape (batch, {sizes})",
        "(batch, classes) with at least two classes, or another target",
        "say which entry: target=relprop.at(...), or a function of the output",
    )


def _classes(output: Tensor, scores: Tensor, target: Any) -> Tensor:
    _check_classes(output)
    if target is None or (isinstance(target, str) and target == "predicted"):
        return output.argmax(1) if scores is output else largest_class(output, scores)
    if isinstance(target, str):
        if target != "runner-up":
            raise _bad(repr(target), 'write "runner-up"')
        return second_class(output, scores)
    batch, count = output.shape
    return _in_range(_labels(target, batch), count).to(output.device)


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
        raise _bad(f"a class of an output of shape {tuple(shape)}", "leave compile=True out")
    if target is None or (isinstance(target, str) and target == "predicted"):
        return None
    if not isinstance(target, (int, Tensor)):
        what = repr(target) if isinstance(target, str) else f"a {type(target).__name__}"
        allowed = 'None or "predicted", a class, or one class per sample as a tensor'
        raise _bad(f"{what} with compile=True", "leave compile=True out", allowed)
    return _in_range(_labels(target, batch), shape[1])


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
    return _bad(given, "give one class per sample, or one int for all")


def _in_range(labels: Tensor, count: int) -> Tensor:
    if bool(((labels < 0) | (labels >= count)).any()):
        wrong = labels[(labels < 0) | (labels >= count)][0].item()
        raise _bad(f"class {wrong} of a model with {count} classes", f"give 0 to {count - 1}")
    return labels


def _labels(target: Any, batch: int) -> Tensor:
    if isinstance(target, bool):
        raise _bad(repr(target), "give a class number")
    try:
        labels = target if isinstance(target, Tensor) else torch.as_tensor(target, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise _bad(f"a {type(target).__name__}", "give class numbers") from None
    if labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool:
        raise _bad(f"of dtype {labels.dtype}", "give class numbers as integers: labels.long()")
    if labels.ndim > 0 and labels.shape != (batch,):
        raise _not_per_sample(labels.shape, batch)
    return labels.to(torch.long, copy=True).expand(batch)  # the explanation holds them


def _gradient(output: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.enable_grad():
        leaf = output.detach().requires_grad_()
        score = function(leaf.clone())  # the function may overwrite its argument
    if not isinstance(score, Tensor) or score.shape != output.shape[:1]:
        got = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
        todo = "return one number per sample, such as lambda output: output[:, 3] - output[:, 5]"
        raise _bad(f"a function that returned {got} for a batch of {len(output)}", todo)
    if not score.requires_grad:
        raise _bad("a function that does not depend on the output", "compute it from the output")
    (c,) = torch.autograd.grad(score, leaf, torch.ones_like(score), allow_unused=True)
    if c is None:
        raise _bad("a function that does not depend on the output", "compute it from the output")
    return c
