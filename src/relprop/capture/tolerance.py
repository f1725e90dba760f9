"""Whether an output is that which is expected: of the same operations, or but for rounding."""

import torch
from torch import Tensor

from ..support.numerics import is_finite

_ROUNDING = 1e-2  # what rounding may change an output by, as a fraction: deep nets magnify it


def equal_within_precision(got: Tensor, expected: Tensor) -> bool:
    """Of the same operations on the same numbers."""
    return got.shape == expected.shape and relative_difference(got, expected) <= _precision(
        expected
    )


def equal_within_rounding(got: Tensor, expected: Tensor) -> bool:
    """But for rounding."""
    return got.shape == expected.shape and relative_difference(got, expected) <= rounding_tolerance(
        expected
    )


def rounding_tolerance(expected: Tensor) -> float:
    """The largest difference that rounding accounts for."""
    return max(_ROUNDING, _precision(expected))


def relative_difference(got: Tensor, expected: Tensor) -> float:
    """The largest difference, as a fraction of the largest value expected; 0 if that is none."""
    if expected.numel() == 0 or not is_finite(expected):
        return 0.0
    scale = expected.abs().max() + torch.finfo(expected.dtype).tiny
    return float(((got - expected).abs().max() / scale).nan_to_num(torch.inf))


def _precision(expected: Tensor) -> float:
    device = expected.device.type
    lowered = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lowered else expected.dtype
    return float(torch.finfo(dtype).eps ** 0.5)
