"""Arithmetic that is safe around zero: stabilised denominators and quotients."""

import torch
from torch import Tensor


def stabilise(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Move z away from zero by epsilon, keeping its sign; zero counts as positive."""
    return signed(z, epsilon) + z


def signed(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Return what `stabilise` adds: epsilon with the sign of z."""
    return torch.copysign(scalar(epsilon, z), z + 0.0)  # + 0.0: -0.0 counts as positive, too


def scalar(value: float | Tensor, like: Tensor) -> Tensor:
    """Make a number a tensor like another, of its dtype and device; return a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    # Filled on the device: a copy from the host would wait for it.
    return torch.full((), value, dtype=like.dtype, device=like.device)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide; the quotient is 0 where the denominator is 0."""
    if not torch.is_grad_enabled():
        return (numerator / denominator).masked_fill_(denominator == 0, 0)
    # A quotient that is only masked would have a gradient of NaN.
    present = denominator.sign().abs()
    return numerator / (denominator + (1 - present)) * present


def quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Divide; the quotient is 0 where it is not defined: 0 / 0, infinite / infinite, NaN.

    These are the results of an activation where nothing arrives, at an input of 0 or of -inf.
    """
    if torch.is_grad_enabled():
        defined = numerator.isfinite() & denominator.isfinite()
        return divide(numerator.where(defined, 0), denominator.where(defined, 0))
    return (numerator / denominator).nan_to_num_(0.0, torch.inf, -torch.inf)


def times(factor: Tensor, value: Tensor) -> Tensor:
    """Multiply; the product is 0 where the factor is 0, even if the value is not finite."""
    absent = (factor == 0) & ~value.isfinite()  # such as -inf in a mask
    return factor * torch.where(absent, 0, value)
