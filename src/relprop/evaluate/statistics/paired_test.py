"""Paired test: do two methods differ on the same samples?

Takes one number per sample for each method. Gives plain Python numbers. Must not know what they
measure.

n  samples
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...support.estimates import Estimate, bootstrap_means, check_values, concatenate_chunks

# Random sign patterns. With the observed one they are 10,000, so that no p-value is below 0.0001.
PATTERNS = 9_999


@dataclass(frozen=True)
class PairedTest:
    """The mean difference of two methods on the same samples, and a test of it.

    Attributes:
        difference: Mean of first minus second, with its bootstrap interval.
        p_value: Two-sided p-value of the sign-flip test.
    """

    difference: Estimate
    p_value: float

    def __str__(self) -> str:
        p_value = f"p = {self.p_value:.4f}" if self.p_value >= 0.0001 else "p < 0.0001"
        return f"{self.difference}, {p_value}"


def paired_test(first: Tensor, second: Tensor, *, seed: int = 0) -> PairedTest:
    """Test whether two methods differ on the same samples: first minus second.

    A permutation test of the mean difference: if the methods are exchangeable, the sign of each
    sample's difference is random. It assumes no distribution, and serves areas under curves and
    margins as well as errors counted as 0 and 1, for which it is McNemar's exact test. That is why
    the package has no other paired test.

    The p-value is exact where all nonzero differences have one size (errors), and where at most 13
    differences are nonzero. Otherwise it is estimated from 9,999 random sign patterns.

    Args:
        first: One finite number per sample, (n,); 0 and 1 for errors.
        second: The other method's values on the same samples, (n,).
        seed: Random seed of the resamples and sign patterns.

    Returns:
        The mean difference with its 95 % bootstrap interval, and the p-value. Where all
        differences are equal, the interval has no width: it says little about few samples.

    Raises:
        InputError: The shapes differ, or values are not finite.

    Example:
        >>> import torch
        >>> from relprop.evaluate import paired_test
        >>> wrong_by_a = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
        >>> wrong_by_b = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
        >>> test = paired_test(wrong_by_a, wrong_by_b)
        >>> test.difference.mean, test.p_value
        (0.625, 0.125)

    Sources: Fisher 1935, "The design of experiments", section 21; McNemar 1947.
    """
    return paired_tests([(first, second)], seed=seed)[0]


def paired_tests(pairs: Sequence[tuple[Tensor, Tensor]], *, seed: int = 0) -> list[PairedTest]:
    """Test several pairs of methods on the same samples, with one set of random numbers.

    Faster than calling `paired_test` for each pair, with the same results.

    Args:
        pairs: Pairs of values (n,), n the same for all.
        seed: Random seed of the resamples and sign patterns.

    Returns:
        One test per pair. P-values are not corrected for the number of tests.

    Raises:
        InputError: Shapes differ, or values are not finite.

    Example:
        >>> import torch
        >>> from relprop.evaluate import paired_tests
        >>> a, b, c = torch.eye(3)
        >>> [test.p_value for test in paired_tests([(a, b), (a, c), (a, a)])]
        [1.0, 1.0, 1.0]
    """
    differences = []
    for first, second in pairs:
        if first.shape != second.shape:
            raise InputError(
                f"values of shape {tuple(first.shape)} and {tuple(second.shape)}",
                "one number for each of the same samples",
                "compute both methods' values on the same batch",
            )
        differences.append(check_values(first) - check_values(second))
    means, p_values = bootstrap_means(differences, seed=seed), _p_values(differences, seed)
    return [PairedTest(*pair) for pair in zip(means, p_values, strict=True)]


def _p_values(differences: Sequence[Tensor], seed: int) -> list[float]:
    """Compute the p-value of each difference (n,), exactly where that is cheap."""
    exact = [_exact_p_value(difference) for difference in differences]
    inexact = [d for d, p_value in zip(differences, exact, strict=True) if p_value is None]
    estimated = iter(_estimate_p_values(inexact, seed) if inexact else [])
    return [next(estimated) if p_value is None else p_value for p_value in exact]


def _exact_p_value(difference: Tensor) -> float | None:
    """Compute the p-value over all sign patterns; None where there are too many to enumerate."""
    nonzero = difference[difference != 0]
    sizes = nonzero.abs()
    if bool((sizes == sizes[:1]).all()):
        return _binomial_p_value(int((nonzero > 0).sum()), len(nonzero))
    if 2 ** len(nonzero) > PATTERNS + 1:
        return None
    patterns = torch.arange(2 ** len(nonzero))[:, None] >> torch.arange(len(nonzero)) & 1
    return float(_at_least_as_extreme(patterns, nonzero).double().mean())


def _binomial_p_value(positive: int, m: int) -> float:
    """Compute McNemar's exact p-value: `positive` heads in m tosses of a fair coin, two-sided.

    In whole numbers, because the binomial coefficients of a few thousand samples overflow a float.
    """
    coefficient, tail = 1, 0
    for k in range(min(positive, m - positive) + 1):
        tail += coefficient
        coefficient = coefficient * (m - k) // (k + 1)
    p_value: float = 2 * tail / 2**m
    return min(1.0, p_value)


def _estimate_p_values(differences: Sequence[Tensor], seed: int) -> list[float]:
    """Estimate p-values from random sign patterns, which all differences (n,) share."""
    n, generator = len(differences[0]), torch.Generator().manual_seed(seed)

    def extreme(count: int) -> Tensor:
        patterns = torch.randint(2, (count, n), generator=generator, dtype=torch.int8)
        return torch.stack([_at_least_as_extreme(patterns, one) for one in differences], 1)

    # The observed signs count as one of the patterns: a p-value of 0 would not be valid.
    counts = concatenate_chunks(extreme, PATTERNS, n).sum(0) + 1
    return [count / (PATTERNS + 1) for count in counts.tolist()]


def _at_least_as_extreme(patterns: Tensor, difference: Tensor) -> Tensor:
    """Whether the sum with each sign pattern (p, n) is as far from 0 as the observed sum."""
    # Sums in another order may differ in the last place; the margin counts them as equal.
    observed = difference.sum().abs() * (1 - 1e-12)
    return ((1 - 2 * patterns).double() @ difference).abs() >= observed
