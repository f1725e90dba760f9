"""What a batch of readings says in a few numbers, each with a 95 % confidence interval.

Takes readings and labels. Gives frozen records of plain Python numbers; a group without members
has None for its numbers, never NaN. Must not know how the readings came about.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...support.extras import needs
from .estimates import CONFIDENCE, Interval
from .predictions import Reading


@dataclass(frozen=True)
class Share:
    """`count` of `n`, with a Wilson interval."""

    count: int
    n: int
    share: float
    interval: Interval


@dataclass(frozen=True)
class Margins:
    """The margins of a group of n samples: the largest, and the mean with a t interval.

    The largest and the mean are None for an empty group, the interval where n < 2.
    """

    n: int
    strongest: float | None
    mean: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Cell:
    """Readings against labels: those still read correctly, those misread, and the share misread."""

    correct: Margins
    wrong: Margins
    misread: Share


@dataclass(frozen=True)
class PairedDifference:
    """Share misread under one treatment minus under another, on the same samples."""

    difference: float
    interval: Interval
    only_first: int  # samples misread under the first treatment alone
    only_second: int  # samples misread under the second alone
    p_value: float  # exact McNemar test, two-sided


def cell(reading: Reading, labels: Tensor) -> Cell:
    """Summary of readings (n,) against the true classes (n,)."""
    right = reading.prediction == labels
    return Cell(
        correct=margins(reading.margin[right]),
        wrong=margins(reading.margin[~right]),
        misread=share(int((~right).sum()), len(labels)),
    )


def share(count: int, n: int) -> Share:
    """The share count / n with the Wilson score interval (Wilson 1927); n >= 1."""
    stats = _scipy_stats()
    low, high = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return Share(count, n, count / n, Interval(float(low), float(high)))


def margins(values: Tensor) -> Margins:
    """Largest and mean of margins (n,), the mean with Student's t interval, cut to [0, 1]."""
    n = len(values)
    if n == 0:
        return Margins(0, None, None, None)
    values = values.double()
    mean, strongest = float(values.mean()), float(values.max())
    if n == 1:
        return Margins(1, strongest, mean, None)
    t = float(_scipy_stats().t.ppf((1 + CONFIDENCE) / 2, n - 1))
    half = t * float(values.std()) / n**0.5
    return Margins(n, strongest, mean, Interval(max(0.0, mean - half), min(1.0, mean + half)))


def paired_difference(first: Tensor, second: Tensor) -> PairedDifference:
    """Compare two (n,) boolean tensors, True where the same sample was misread.

    Interval: Wald with 0.5 added to each of the four cells (Agresti and Min 2005, "Wald+2").
    Test: McNemar's in its exact form, binomial on the samples where the two disagree.
    """
    stats = _scipy_stats()
    b, c, n = int((first & ~second).sum()), int((second & ~first).sum()), len(first)
    centre = (b - c) / (n + 2)
    half = (
        float(stats.norm.ppf((1 + CONFIDENCE) / 2))
        * (((b + c + 1) / (n + 2) - centre**2) / (n + 2)) ** 0.5
    )
    p_value = float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0
    interval = Interval(max(-1.0, centre - half), min(1.0, centre + half))
    return PairedDifference((b - c) / n, interval, b, c, p_value)


def _scipy_stats() -> Any:
    with needs("evaluate", "confidence intervals"):
        from scipy import stats
    return stats
