"""Means over samples with bootstrap confidence intervals.

Takes one number per sample. Gives plain Python numbers. Must not know what they measure.

n  samples
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError

CONFIDENCE = 0.95
RESAMPLES = 1_999  # of the bootstrap: an interval's end is off by about 2 % of its width
MAX_RANDOM_NUMBERS = 2**22  # held in memory at once
MEASURES = MAX_RANDOM_NUMBERS // RESAMPLES  # of which all resampled means are held at once


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A mean over samples with its confidence interval.

    Attributes:
        mean: Mean of the n samples.
        interval: 95 % bootstrap interval of the mean; None where n < 2.
        n: Number of samples.
    """

    mean: float
    interval: Interval | None
    n: int

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} [{self.interval.low:.4f}, {self.interval.high:.4f}]"


def bootstrap_mean(values: Tensor, *, seed: int = 0) -> Estimate:
    """Estimate the mean of one measure, with the percentile bootstrap's 95 % interval.

    Args:
        values: One finite number per sample, (n,), n >= 1.
        seed: Random seed of the resamples.

    Returns:
        Mean, interval and n.

    Raises:
        InputError: `values` is not (n,), is empty or has NaN or infinite values.

    Example:
        >>> import torch
        >>> from relprop.evaluate import bootstrap_mean
        >>> print(bootstrap_mean(torch.full((4,), 0.5)))
        0.5000 [0.5000, 0.5000]

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    return bootstrap_means([values], seed=seed)[0]


def bootstrap_means(measures: Sequence[Tensor], *, seed: int = 0) -> list[Estimate]:
    """Estimate the means of several measures of the same samples.

    Samples are drawn once for all measures, which is faster than calling `bootstrap_mean` for each
    and gives the same numbers but for rounding.

    Args:
        measures: Tensors (n,), one finite number per sample each.
        seed: Random seed of the resamples.

    Returns:
        One estimate per measure.

    Raises:
        InputError: A measure is not finite or not (n,), or their lengths differ.

    Example:
        >>> import torch
        >>> from relprop.evaluate import bootstrap_means
        >>> accuracy, margin = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.5, 0.25, 0.75])
        >>> [estimate.mean for estimate in bootstrap_means([accuracy, margin])][1]
        0.5
    """
    checked = [check_values(values) for values in measures]
    n = len(checked[0])
    if any(len(values) != n for values in checked):
        raise InputError(
            f"measures of {', '.join(str(len(values)) for values in checked)} samples",
            "one number for each of the same samples",
            "compute all measures on the same batch",
        )
    means = [float(values.mean()) for values in checked]
    if n < 2:
        return [Estimate(mean, None, n) for mean in means]
    intervals: list[Interval] = []
    for start in range(0, len(checked), MEASURES):
        block = torch.stack(checked[start : start + MEASURES], 1)  # (n, measures)
        intervals += _intervals(block, torch.Generator().manual_seed(seed))
    return [Estimate(mean, interval, n) for mean, interval in zip(means, intervals, strict=True)]


def _intervals(measures: Tensor, generator: torch.Generator) -> list[Interval]:
    """Return the percentile interval of the mean of each measure, of (n, measures)."""
    n = len(measures)

    def resample(count: int) -> Tensor:
        drawn = torch.randint(n, (count, n), generator=generator)
        # A resample's mean needs only how often each sample was drawn. Counting once and
        # multiplying serves all measures without gathering their values.
        counts = torch.zeros(count, n, dtype=torch.float64)
        counts.scatter_add_(1, drawn, counts.new_ones(1, 1).expand(count, n))
        return counts @ measures / n  # (count, measures)

    tail = (1 - CONFIDENCE) / 2
    levels = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    lows, highs = concatenate_chunks(resample, RESAMPLES, n).quantile(levels, dim=0).tolist()
    return list(map(Interval, lows, highs))


def finite_in_all(first: Tensor, *others: Tensor) -> Tensor:
    """Mark the samples whose values are finite in all of these tensors (n,): boolean (n,)."""
    return torch.stack([values.isfinite() for values in (first, *others)]).all(0)


def format_mean(values: Tensor) -> str:
    """Format the estimate over the finite values of (n,), with their number if some are not."""
    finite = values[finite_in_all(values)]
    if not len(finite):
        return "undefined"
    return f"{bootstrap_mean(finite)}" + (f" of {len(finite)}" if len(finite) < len(values) else "")


def concatenate_chunks(make: Callable[[int], Tensor], rows: int, width: int) -> Tensor:
    """Concatenate `make(k)` until it has `rows` rows, limiting the random numbers in memory.

    `width` is the number of random numbers that `make` draws per row.
    """
    size = max(1, MAX_RANDOM_NUMBERS // width)
    return torch.cat([make(min(size, rows - done)) for done in range(0, rows, size)])


def check_values(values: Tensor) -> Tensor:
    """Return values (n,) in float64 on the CPU; raise InputError unless all are finite."""
    if values.ndim != 1 or len(values) == 0 or not bool(values.isfinite().all()):
        raise InputError(
            f"values of shape {tuple(values.shape)}, or not finite",
            "one finite number per sample, (n,), n >= 1",
            "pass for example curve.auc",
        )
    return values.detach().cpu().double()
