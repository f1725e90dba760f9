"""Compares outputs at two tolerances: one for the same operations, one for other operations.

Takes the output and the one it should equal. Knows nothing of models.
"""

import torch
from torch import Tensor

from ..graph.dropped import MASKS_FROM

# A fraction of the largest value. Operations in another order round otherwise, and deep networks
# magnify that.
_ROUNDING = 1e-2


def equal_within_precision(got: Tensor, expected: Tensor) -> bool:
    """Whether two outputs agree as the same operations on the same numbers do."""
    if got.shape != expected.shape:
        return False
    return relative_difference(got, expected) <= precision(expected)


def equal_within_rounding(got: Tensor, expected: Tensor) -> bool:
    """Whether two outputs agree up to rounding, as the same function by other operations does."""
    if got.shape != expected.shape:
        return False
    return relative_difference(got, expected) <= rounding_tolerance(expected)


def rounding_tolerance(expected: Tensor) -> float:
    """Return the largest relative difference that rounding accounts for."""
    return max(_ROUNDING, precision(expected))


def relative_difference(got: Tensor, expected: Tensor) -> float:
    """Return the largest difference, as a fraction of the largest value expected.

    What masks a class, such as -1e9, is compared apart from the scores beside it. Where an expected
    value is not finite no comparison is possible.

    Example:
        >>> relative_difference(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 4.0]))
        0.25
    """
    finite, masks = expected.isfinite(), expected <= -MASKS_FROM
    return max(_difference(got, expected, finite & chosen) for chosen in (masks, ~masks))


def _difference(got: Tensor, expected: Tensor, chosen: Tensor) -> float:
    got, expected = got[chosen], expected[chosen]
    if expected.numel() == 0:
        return 0.0
    scale = expected.abs().max() + torch.finfo(expected.dtype).tiny
    return float(((got - expected).abs().max() / scale).nan_to_num(torch.inf))


def precision(expected: Tensor) -> float:
    """Return the root of the machine precision that a model of this output computes in."""
    device = expected.device.type
    lowered = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lowered else expected.dtype
    return float(torch.finfo(dtype).eps ** 0.5)
