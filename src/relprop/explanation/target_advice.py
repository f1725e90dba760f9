"""What errors about targets say: what is allowed, and the line to write in place of a wrong one.

Takes what was given and the shape of the output. Gives errors. Must not compute relevance.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..support.arguments import suggest

ALLOWED = (
    'None or "predicted", a class, one class per sample as a tensor, "runner-up", at(...), '
    'a pair (a, b) of these, a function of the output, or a list of these or "all" for several'
)
TEXTS = ("predicted", "runner-up", "all")


def bad_target(given: str, todo: str, allowed: str = ALLOWED) -> InputError:
    """Return the error for a target."""
    return InputError(f"target is {given}", allowed, todo)


def unknown_text(text: str) -> InputError:
    """Return the error for a text that is no target: a misspelt one, a number, a class's name."""
    if text.strip().isdecimal():
        return bad_target(repr(text), f"write target={int(text)}")
    todo = "write the number of the class, such as target=0, or one of these texts"
    return bad_target(repr(text), suggest(text, TEXTS, otherwise=todo))


def example_entry(shape: Sequence[int], target: object = None) -> tuple[int, ...]:
    """Return an index of a sample's output that exists: of a sequence, at its last position.

    Args:
        shape: That of the output, (batch, ...).
        target: A class number, used where it is one that the output has.
    """
    sizes = tuple(shape[1:])
    middle = [size // 2 for size in sizes[1:]]
    at, index = (1, [-1, 0]) if len(sizes) == 2 else (0, [0, *middle])
    number = isinstance(target, int) and not isinstance(target, bool)
    if sizes and number and 0 <= target < sizes[at]:  # type: ignore[operator]
        index[at] = target  # type: ignore[call-overload]
    return tuple(index[: len(sizes)])


def no_classes(shape: Sequence[int], target: object) -> InputError:
    """Return the error for a class as target where the output is not (batch, classes)."""
    sizes, entry = shape[1:], example_entry(shape, target)
    rows = "" if len(sizes) == 2 else ".flatten(1)"
    largest = f"output[:, {entry[0]}]{rows}.amax(1)"
    return InputError(
        f"a class as target for a model whose output has shape (batch, "
        f"{', '.join(map(str, sizes))})",
        "(batch, classes) with at least two classes, or another target",
        f"say which entry: target=relprop.at({', '.join(map(str, entry))}) is one, and "
        f"target=lambda output: {largest} the largest of output[:, {entry[0]}]",
    )


def wrong_entry(index: tuple[int, ...], shape: Sequence[int]) -> InputError:
    """Return the error for an entry that an output does not have."""
    sizes = tuple(shape[1:])
    if len(index) == len(sizes):  # the nearest that it has
        entry = tuple(max(-n, min(i, n - 1)) for i, n in zip(index, sizes, strict=True))
    else:
        entry = example_entry(shape, index[0])
    return bad_target(
        f"at{index} of an output of shape {tuple(shape)}",
        f"give one index for each of the sizes {sizes}: "
        f"target=relprop.at({', '.join(map(str, entry))})",
    )


def wrong_index(index: tuple[Any, ...]) -> InputError:
    """Return the error for an entry that is not named by integers."""
    shown = ", ".join(repr(i) if isinstance(i, (str, float)) else _brief(i) for i in index)
    nested = index[0] if len(index) == 1 else ()
    if isinstance(nested, (list, tuple)) and nested and all(type(i) is int for i in nested):
        todo = f"write relprop.at({', '.join(map(str, nested))})"
    elif len(index) > 1 and index[-1] == "predicted" and all(type(i) is int for i in index[:-1]):
        place = ", ".join(map(str, index[:-1]))
        todo = f"for the largest there write target=lambda output: output[:, {place}].amax(-1)"
    else:
        todo = (
            "write relprop.at(0) for an output (batch, classes), relprop.at(-1, 0) for one of "
            "shape (batch, length, classes)"
        )
    return InputError(f"at({shown})", "one integer for each dimension of a sample's output", todo)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 30 else f"a {type(value).__name__}"


def class_of_one_unit(target: Any, shape: Sequence[int]) -> InputError:
    """Return the error for a class as target of a model with one unit."""
    against = "for what speaks against the unit write target=lambda scores: -scores.flatten()"
    todo = f"leave target out, or {against}"
    if isinstance(target, Tensor) and target.numel() == shape[0]:
        labels = "labels" if target.ndim == 1 else "labels.flatten()"
        todo = (
            "leave target out; or, for what speaks for label 1 and against label 0, write "
            f"target=lambda scores: scores.flatten() * (2 * {labels} - 1)"
        )
    elif isinstance(target, str) and target == "runner-up":
        todo = (
            "leave target out; or, for what speaks against the sign that is predicted, write "
            "target=lambda scores: -scores.flatten().abs()"
        )
    return InputError(
        f"a class as target for a model with one unit, of output {tuple(shape)}",
        "no target, for that unit; or a function of it",
        todo,
    )


def no_class_numbers(labels: Tensor, count: int, given: object) -> InputError | None:
    """Return the error for numbers that are no classes, such as one-hot rows; None for classes.

    Args:
        labels: What was given as target, as a tensor.
        count: Number of classes.
        given: What was given.
    """
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool)
    if whole and labels.ndim < 2:
        return None
    what = f"of dtype {labels.dtype}" if labels.ndim < 2 else f"of shape {tuple(labels.shape)}"
    # of an array, the same methods but for the cast
    cast = "" if whole else ".long()" if isinstance(given, Tensor) else ".astype(int)"
    if labels.ndim == 2 and labels.shape[1] == count > 1:
        cast = cast if labels.dtype is torch.bool else ""
        return bad_target(what, f"write target=target{cast}.argmax(1), the largest of each row")
    if labels.ndim == 2 and labels.shape[1] == 1:
        return bad_target(what, f"write target=target.flatten(){cast}")
    if labels.ndim > 1:
        return bad_target(what, "give one class per sample, or one int for all")
    if labels.ndim == 0:
        number = int(labels.item().real) if labels.isfinite() else 0
        return bad_target(what, f"write target={number}")
    return bad_target(what, f"give class numbers as integers: target=target{cast}")
