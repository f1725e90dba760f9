"""Intervals of accuracy over draws of samples and over test pictures, by the bootstrap.

Takes which pictures are classified correctly after each draw, (draws, pictures). Gives a mean with
its 95 % interval, and that of a paired difference. Both draws and pictures are drawn again, with
replacement (percentile bootstrap), so that no end leaves 0 to 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

RESAMPLES = 2_000


def interval(right: Tensor) -> list[float]:
    """Return mean, low and high of a matrix (draws, pictures)."""
    return _summary(right.double(), _resampled(right.double()))


def difference(right: Tensor, other: Tensor) -> list[float]:
    """Return mean, low and high of a paired difference: draws and pictures are the same."""
    paired = right.double() - other.double()
    return _summary(paired, _resampled(paired))


def _resampled(values: Tensor, seed: int = 0) -> Tensor:
    """Return means of resampled draws and pictures, (RESAMPLES,)."""
    generator = torch.Generator().manual_seed(seed)
    draws, pictures = (_counts(n, generator) for n in values.shape)
    return ((draws @ values) * pictures).sum(1) / values.numel()


def _counts(n: int, generator: torch.Generator) -> Tensor:
    """Count how often each of n is drawn when n are drawn, (RESAMPLES, n)."""
    drawn = torch.randint(n, (RESAMPLES, n), generator=generator)
    return (
        torch.zeros(RESAMPLES, n)
        .double()
        .scatter_add_(1, drawn, torch.ones(1, 1).double().expand_as(drawn))
    )


def _summary(values: Tensor, means: Tensor) -> list[float]:
    low, high = means.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return [float(values.mean()), low, high]


def shown(one: Sequence[float]) -> str:
    """Write a mean and its interval in percent."""
    mean, low, high = (100 * value for value in one)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
