"""Arithmetic that is safe around zero: stabilised denominators and quotients."""

import torch
from torch import Tensor


def stabilise(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Move z away from zero by epsilon, keeping its sign; zero counts as positive."""
    return signed(z, epsilon) + z


def signed(z: Tensor, epsilon: float | Tensor) -> Tensor:
<<<<<<< HEAD
    """Return what `stabilise` adds: epsilon with the sign of z."""
    return torch.copysign(scalar(epsilon, z), z + 0.0)  # + 0.0: -0.0 counts as positive, too


def scalar(value: float | Tensor, like: Tensor) -> Tensor:
    """Make a number a tensor like another, of its dtype and device; return a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    # Filled on the device: a copy from the host would wait for it.
=======
    """Return what `stabilise` adds to z: epsilon with the sign of z."""
    return torch.copysign(scalar(epsilon, z), z + 0.0)  # a sum that is -0.0 becomes 0.0


def scalar(value: float | Tensor, like: Tensor) -> Tensor:
    """Convert a number to a tensor like `like` in dtype and device; return a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    # Fill on the device: a copy from the CPU would synchronise with it.
>>>>>>> main
    return torch.full((), value, dtype=like.dtype, device=like.device)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide; the quotient is 0 where the denominator is 0."""
    if not torch.is_grad_enabled():
        return (numerator / denominator).masked_fill_(denominator == 0, 0)
<<<<<<< HEAD
    # A quotient that is only masked would have a gradient of NaN.
    present = denominator.sign().abs()
=======
    present = denominator.sign().abs()  # masking alone would make the gradient NaN
>>>>>>> main
    return numerator / (denominator + (1 - present)) * present


def times(factor: Tensor, value: Tensor) -> Tensor:
<<<<<<< HEAD
    """Multiply; the product is 0 where the factor is 0, even if the value is infinite."""
    return torch.where(factor == 0, 0, factor * value)
=======
    """Multiply; a factor of 0 gives 0 even where the value is infinite, as in a masked softmax."""
    return torch.where(factor == 0, 0, factor * value)


def is_finite(values: Tensor) -> bool:
    """Tell whether no value is NaN or infinite."""
    # The sum takes one pass over memory. Large values may make it infinite: then test each value.
    return cmath.isfinite(values.sum().item()) or bool(values.isfinite().all())


def first_not_finite(values: Tensor) -> int | None:
    """Find the first sample of values (batch, ...) that has NaN or infinity, if there is one."""
    if is_finite(values):
        return None
    return int((~values.isfinite().flatten(1).all(1)).nonzero()[0, 0])


def check_finite(values: Tensor, what: str, first: str, todo: str, start: int = 0) -> None:
    """Raise NumberError if the values (batch, ...) are not finite.

    Args:
        values: The values of a batch, or of a part of it.
        what: What they are, such as "output".
        first: The operation that gave the first such number, as the error names it.
        todo: What to do about it.
        start: Index of the part's first sample in the whole batch.
    """
    sample = first_not_finite(values.reshape(len(values), -1))
    if sample is not None:
        given = f"the {what} for sample {start + sample} is not finite{first}"
        raise NumberError(given, "finite numbers", todo)
>>>>>>> main
