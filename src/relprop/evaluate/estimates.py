"""Estimates: a mean over samples with its interval, and whether two methods differ on them.

Takes one number for each sample. Gives plain Python numbers. Must not know what they measure.

n  samples
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError

CONFIDENCE = 0.95
RESAMPLES = 1_999  # of the bootstrap: an end of an interval is off by some 2 % of its width
PATTERNS = 9_999  # of signs; with that which was observed: 10,000
AT_ONCE = 2**22  # random numbers in memory


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """The mean of n samples, with a bootstrap interval; None where n < 2."""

    mean: float
    interval: Interval | None
    n: int

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} [{self.interval.low:.4f}, {self.interval.high:.4f}]"


@dataclass(frozen=True)
class Paired:
    """The mean difference of two methods on the same samples, and the p-value of a test of it."""

    difference: Estimate
    p_value: float

    def __str__(self) -> str:
        return f"{self.difference}, p = {self.p_value:.4f}"


def estimate(values: Tensor, *, seed: int = 0) -> Estimate:
    """The mean of values (n,), n >= 1, with the percentile bootstrap's interval (Efron 1979)."""
    _check(values)
    values, n = values.detach().cpu().double(), len(values)
    if n < 2:
        return Estimate(float(values.mean()), None, n)
    generator = torch.Generator().manual_seed(seed)

    def resampled(count: int) -> Tensor:
        return values[torch.randint(n, (count, n), generator=generator)].mean(1)

    tail = (1 - CONFIDENCE) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = _in_parts(resampled, RESAMPLES, n).quantile(ends).tolist()
    return Estimate(float(values.mean()), Interval(low, high), n)


def defined(first: Tensor, *others: Tensor) -> Tensor:
    """Which samples have a value, that is no NaN, in all of these, (n,) each: boolean (n,)."""
    return torch.stack([values.isfinite() for values in (first, *others)]).all(0)


def told(values: Tensor) -> str:
    """The estimate over the samples of values (n,) that have one, and how many those are."""
    there = values[defined(values)]
    if not len(there):
        return "undefined"
    return f"{estimate(there)}" + (f" of {len(there)}" if len(there) < len(values) else "")


def paired(first: Tensor, second: Tensor, *, seed: int = 0) -> Paired:
    """Compare two methods' values (n,) on the same samples: first minus second.

    Test: two-sided permutation test of the mean difference, in which the sign of each sample's
    difference is random; exact where there are at most 13 that are not 0. Of values that are 0 or 1
    it is McNemar's test.
    """
    _check(first)
    if first.shape != second.shape:
        raise InputError(
            f"values of shape {tuple(first.shape)} and {tuple(second.shape)}",
            "one number for each of the same samples",
            "measure both methods on the same batch",
        )
    difference = first.detach().cpu().double() - second.detach().cpu().double()
    return Paired(estimate(difference, seed=seed), _sign_flip(difference, seed))


def _sign_flip(difference: Tensor, seed: int) -> float:
    changing = difference[difference != 0]
    m, generator = len(changing), torch.Generator().manual_seed(seed)
    observed = changing.sum().abs() * (1 - 1e-12)  # a sum in another order is equal, too
    if 2**m <= PATTERNS + 1:
        flips = torch.arange(2**m)[:, None] >> torch.arange(m) & 1  # every pattern of signs
        return float((_signed(flips, changing).abs() >= observed).double().mean())

    def drawn(count: int) -> Tensor:
        flips = torch.randint(2, (count, m), generator=generator, dtype=torch.int8)
        return _signed(flips, changing)

    beyond = int((_in_parts(drawn, PATTERNS, m).abs() >= observed).sum())
    return (beyond + 1) / (PATTERNS + 1)  # what was observed is one of the patterns


def _signed(flips: Tensor, values: Tensor) -> Tensor:
    return (1 - 2 * flips).double() @ values


def _in_parts(make: Callable[[int], Tensor], total: int, width: int) -> Tensor:
    """`total` numbers by rows of random ones, as many rows at a time as memory should hold."""
    size = max(1, AT_ONCE // width)
    return torch.cat([make(min(size, total - done)) for done in range(0, total, size)])


def _check(values: Tensor) -> None:
    if values.ndim != 1 or len(values) == 0 or not bool(values.isfinite().all()):
        raise InputError(
            f"values of shape {tuple(values.shape)}, or not finite",
            "one finite number for each sample, (n,), n >= 1",
            "give for example curve.auc",
        )
