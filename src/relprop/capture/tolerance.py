"""Compares outputs at two tolerances: one for the same operations, one for other operations.

Takes the output and the one it should equal. Knows nothing of models.
"""

import torch
from torch import Tensor

from ..support.checks import is_finite

# A fraction of the largest value. Operations in another order round otherwise, and deep networks
# magnify that.
_ROUNDING = 1e-2


def equal_within_precision(got: Tensor, expected: Tensor) -> bool:
    """Whether two outputs agree as the same operations on the same numbers do."""
    if got.shape != expected.shape:
        return False
    return relative_difference(got, expected) <= _precision(expected)


def equal_within_rounding(got: Tensor, expected: Tensor) -> bool:
    """Whether two outputs agree up to rounding, as the same function by other operations does."""
    if got.shape != expected.shape:
        return False
    return relative_difference(got, expected) <= rounding_tolerance(expected)


def rounding_tolerance(expected: Tensor) -> float:
    """Return the largest relative difference that rounding accounts for."""
    return max(_ROUNDING, _precision(expected))


def relative_difference(got: Tensor, expected: Tensor) -> float:
    """Return the largest difference, as a fraction of the largest value expected.

    0 if an expected value is not finite: no comparison is possible then.

    Example:
        >>> relative_difference(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 4.0]))
        0.25
    """
    if expected.numel() == 0 or not is_finite(expected):
        return 0.0
    scale = expected.abs().max() + torch.finfo(expected.dtype).tiny
    return float(((got - expected).abs().max() / scale).nan_to_num(torch.inf))


def _precision(expected: Tensor) -> float:
    """Return the root of the machine precision that a model of this output computes in."""
    device = expected.device.type
    lowered = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lowered else expected.dtype
    return float(torch.finfo(dtype).eps ** 0.5)
