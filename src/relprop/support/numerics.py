"""Arithmetic that is safe around zero, and checks that numbers are finite."""

import cmath

import torch
from torch import Tensor

from ..errors import NumberError


def stabilise(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Z moved away from zero by epsilon, keeping its sign; zero counts as positive."""
    return signed(z, epsilon) + z


def signed(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """What `stabilise` adds."""
    return torch.copysign(scalar(epsilon, z), z + 0.0)  # a sum that is -0.0 becomes 0.0


def scalar(value: float | Tensor, like: Tensor) -> Tensor:
    """A number as a tensor of the dtype and on the device of another; a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    # filled there: what is made here and copied would wait for the device
    return torch.full((), value, dtype=like.dtype, device=like.device)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, and 0 where the denominator is 0."""
    if not torch.is_grad_enabled():
        return (numerator / denominator).masked_fill_(denominator == 0, 0)
    present = denominator.sign().abs()  # the gradient of what is only masked would be NaN
    return numerator / (denominator + (1 - present)) * present


def times(factor: Tensor, value: Tensor) -> Tensor:
    """The product, and 0 where the factor is 0 and the value infinite, as in a masked softmax."""
    return torch.where(factor == 0, 0, factor * value)


def is_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    # one pass over memory; where large values make the sum infinite, each is looked at
    return cmath.isfinite(values.sum().item()) or bool(values.isfinite().all())


def first_not_finite(values: Tensor) -> int | None:
    """The first sample with NaN or infinity, if there is one."""
    if is_finite(values):
        return None
    return int((~values.isfinite().flatten(1).all(1)).nonzero()[0, 0])


def check_finite(values: Tensor, what: str, first: str, todo: str, start: int = 0) -> None:
    """NumberError if the values (batch, ...) are not finite.

    first  the operation that made the first such number, as the error names it
    start  which sample of the user's the first of these is
    """
    sample = first_not_finite(values.reshape(len(values), -1))
    if sample is not None:
        given = f"the {what} for sample {start + sample} is not finite{first}"
        raise NumberError(given, "finite numbers", todo)
