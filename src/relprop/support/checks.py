"""Checks of tensors: finite numbers, and the shape of a classifier's output.

Takes tensors. Gives answers, or raises. Must not know what a tensor was computed from.
"""

import cmath

from torch import Tensor

from ..errors import InputError, NumberError

_ALLOWED = "(batch, classes) with at least two classes"


def is_classification(output: Tensor) -> bool:
    """Tell whether an output is (batch, classes), with at least two classes."""
    return output.ndim == 2 and output.shape[1] >= 2


def require_classes(output: Tensor, owner: str, todo: str, *, allowed: str = _ALLOWED) -> None:
    """Raise InputError unless an output is (batch, classes), with at least two classes.

    Args:
        output: A model's output, of any shape.
        owner: What has the shape, as the error's first line names it.
        todo: What to do about another shape.
        allowed: The error's second line, where more than classes is allowed.
    """
    if not isinstance(output, Tensor):
        raise InputError(f"{owner} of type {type(output).__name__}", allowed, todo)
    if not is_classification(output):
        raise InputError(f"{owner} of shape {tuple(output.shape)}", allowed, todo)


def is_finite(values: Tensor) -> bool:
    """Tell whether no value is NaN or infinite."""
    # One pass over memory. Where large values make the sum infinite, each entry is looked at.
    return cmath.isfinite(values.sum().item()) or bool(values.isfinite().all())


def first_not_finite(values: Tensor) -> int | None:
    """Return the index of the first sample with NaN or infinity, or None."""
    if is_finite(values):
        return None
    return int((~values.isfinite().flatten(1).all(1)).nonzero()[0, 0])


def check_finite(values: Tensor, what: str, first: str, todo: str, start: int = 0) -> None:
    """Raise NumberError if values are not finite.

    Args:
        values: Of shape (batch, ...).
        what: How the error names them.
        first: How it names the operation that gave the first such number; "" if not known.
        todo: What to do.
        start: Index of the first sample in the caller's batch.
    """
    sample = first_not_finite(values.reshape(len(values), -1))
    if sample is not None:
        given = f"the {what} for sample {start + sample} is not finite{first}"
        raise NumberError(given, "finite numbers", todo)
