"""Estimates: a mean over samples with its interval, and whether two methods differ on them.

Takes one number for each sample. Gives plain Python numbers. Must not know what they measure.

n  samples
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError

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
    return estimates([values], seed=seed)[0]


def estimates(columns: Sequence[Tensor], *, seed: int = 0) -> list[Estimate]:
    """The same for several measures (n,) of the same samples, which are resampled once for all."""
    ready = [_checked(values) for values in columns]
    n = len(ready[0])
    if any(len(values) != n for values in ready):
        raise InputError(
            f"measures of {', '.join(str(len(values)) for values in ready)} samples",
            "one number for each of the same samples",
            "measure all on the same batch",
        )
    means = [float(values.mean()) for values in ready]
    if n < 2:
        return [Estimate(mean, None, n) for mean in means]
    generator = torch.Generator().manual_seed(seed)

    def resampled(count: int) -> Tensor:
        drawn = torch.randint(n, (count, n), generator=generator)
        times = torch.zeros(count, n, dtype=torch.float64)  # how often each sample is drawn
        times.scatter_add_(1, drawn, times.new_ones(1, 1).expand(count, n))
        return torch.stack([times @ values / n for values in ready], 1)

    tail = (1 - CONFIDENCE) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    lows, highs = _in_parts(resampled, RESAMPLES, n).quantile(ends, dim=0).tolist()
    intervals = map(Interval, lows, highs)
    return [Estimate(mean, each, n) for mean, each in zip(means, intervals, strict=True)]


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
    return paired_each([(first, second)], seed=seed)[0]


def paired_each(pairs: Sequence[tuple[Tensor, Tensor]], *, seed: int = 0) -> list[Paired]:
    """The same for several pairs of the same samples, whose random numbers are drawn once."""
    differences = []
    for first, second in pairs:
        if first.shape != second.shape:
            raise InputError(
                f"values of shape {tuple(first.shape)} and {tuple(second.shape)}",
                "one number for each of the same samples",
                "measure both methods on the same batch",
            )
        differences.append(_checked(first) - _checked(second))
    found = zip(estimates(differences, seed=seed), _sign_flips(differences, seed), strict=True)
    return [Paired(difference, p_value) for difference, p_value in found]


def _sign_flips(differences: Sequence[Tensor], seed: int) -> list[float]:
    """The p-value of each difference (n,)."""
    few = [2 ** int((one != 0).sum()) <= PATTERNS + 1 for one in differences]
    many = [one for one, exact in zip(differences, few, strict=True) if not exact]
    n, generator = len(differences[0]), torch.Generator().manual_seed(seed)

    def beyond(count: int) -> Tensor:
        flips = torch.randint(2, (count, n), generator=generator, dtype=torch.int8)
        return torch.stack([_beyond(flips, one) for one in many], 1)

    # what was observed is one of the patterns
    counted = (_in_parts(beyond, PATTERNS, n).sum(0) + 1).tolist() if many else []
    drawn = iter(counted)
    return [
        _exact(one) if exact else next(drawn) / (PATTERNS + 1)
        for one, exact in zip(differences, few, strict=True)
    ]


def _exact(difference: Tensor) -> float:
    changing = difference[difference != 0]
    m = len(changing)
    flips = torch.arange(2**m)[:, None] >> torch.arange(m) & 1  # every pattern of signs
    return float(_beyond(flips, changing).double().mean())


def _beyond(flips: Tensor, values: Tensor) -> Tensor:
    """Whether the sum with each pattern of signs (p, n) is as far from 0 as the observed one."""
    observed = values.sum().abs() * (1 - 1e-12)  # a sum in another order is equal, too
    return _signed(flips, values).abs() >= observed


def _signed(flips: Tensor, values: Tensor) -> Tensor:
    return (1 - 2 * flips).double() @ values


def _in_parts(make: Callable[[int], Tensor], total: int, width: int) -> Tensor:
    """`total` numbers by rows of random ones, as many rows at a time as memory should hold."""
    size = max(1, AT_ONCE // width)
    return torch.cat([make(min(size, total - done)) for done in range(0, total, size)])


def _checked(values: Tensor) -> Tensor:
    if values.ndim != 1 or len(values) == 0 or not bool(values.isfinite().all()):
        raise InputError(
            f"values of shape {tuple(values.shape)}, or not finite",
            "one finite number for each sample, (n,), n >= 1",
            "give for example curve.auc",
        )
    return values.detach().cpu().double()
