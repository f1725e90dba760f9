"""Means with bootstrap intervals, against the binomial distribution and scipy's bootstrap."""

import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from relprop.errors import InputError
from relprop.evaluate import bootstrap_mean, bootstrap_means
from relprop.support import estimates


@pytest.mark.parametrize(("n", "ones"), [(8, 2), (40, 13), (300, 30)])
def test_the_bootstrap_of_a_rate_has_binomial_quantiles(n, ones):
    """The mean of n draws with replacement from 0s and 1s is Binomial(n, p) / n."""
    values = torch.zeros(n)
    values[:ones] = 1
    got = bootstrap_mean(values)
    binomial = stats.binom(n, ones / n)
    for level, end in ((0.025, got.interval.low), (0.975, got.interval.high)):
        allowed = {int(binomial.ppf(level + shift)) for shift in (-0.01, 0, 0.01)}
        assert round(end * n) in allowed
        assert len(allowed) <= 3
    assert (got.mean, got.n) == (pytest.approx(ones / n), n)


def assert_equal_but_for_rounding(one, other):
    """Equal resamples: others would move the ends by a percent. The order of sums may differ."""
    assert (one.mean, one.n) == (other.mean, other.n)
    assert one.interval.low == pytest.approx(other.interval.low, rel=1e-12)
    assert one.interval.high == pytest.approx(other.interval.high, rel=1e-12)


def test_the_bootstrap_of_a_mean_agrees_with_scipy():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0)).exp().double()
    got = bootstrap_mean(values).interval
    expected = stats.bootstrap(
        (values.numpy(),), lambda v, axis: v.mean(axis), method="percentile", rng=0
    ).confidence_interval
    # an end of a 95 % interval from 1,999 resamples has a deviation of 1.5 % of its width
    width = expected.high - expected.low
    assert got.low == pytest.approx(expected.low, abs=0.05 * width)
    assert got.high == pytest.approx(expected.high, abs=0.05 * width)


def test_the_seed_decides_the_interval():
    values = torch.rand(30, generator=torch.Generator().manual_seed(0))
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)


def test_one_sample_has_a_mean_and_no_interval():
    got = bootstrap_mean(torch.tensor([0.25]))
    assert (got.mean, got.interval, got.n) == (0.25, None, 1)
    assert str(got) == "0.2500"


def test_an_estimate_prints_its_interval():
    assert str(bootstrap_mean(torch.full((4,), 0.5))) == "0.5000 [0.5000, 0.5000]"


def test_several_measures_have_the_estimates_that_each_has_alone():
    a, b, c = torch.rand(3, 40, generator=torch.Generator().manual_seed(0))
    got = bootstrap_means([a, b, c], seed=2)
    for one, values in zip(got, (a, b, c), strict=True):
        assert_equal_but_for_rounding(one, bootstrap_mean(values, seed=2))


def test_blocks_of_measures_have_the_same_resamples(monkeypatch):
    measures = torch.rand(7, 40, generator=torch.Generator().manual_seed(0)).unbind()
    whole = bootstrap_means(measures)
    monkeypatch.setattr(estimates, "MEASURES", 3)
    for one, other in zip(bootstrap_means(measures), whole, strict=True):
        assert_equal_but_for_rounding(one, other)


class Operations(TorchDispatchMode):
    """Counts matrix products, and notes the most numbers of a result."""

    products, largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.products += "mm" in str(func) or "mv" in str(func)
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        return result


def test_many_measures_are_multiplied_at_once_in_bounded_memory():
    """All 1,999 resampled means of 5,000 measures would be 10 million numbers."""
    measures = torch.rand(5_000, 40, generator=torch.Generator().manual_seed(0)).unbind()
    with Operations() as operations:
        bootstrap_means(measures)
    assert operations.products == 3  # blocks of 2,098 measures
    assert operations.largest <= estimates.MAX_RANDOM_NUMBERS


def test_chunks_do_not_change_the_interval(monkeypatch):
    values = torch.rand(30, generator=torch.Generator().manual_seed(0))
    whole = bootstrap_mean(values)
    monkeypatch.setattr(estimates, "MAX_RANDOM_NUMBERS", 30 * 7)
    assert_equal_but_for_rounding(bootstrap_mean(values), whole)


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2), torch.tensor([torch.nan])])
def test_values_that_are_not_one_number_per_sample_are_refused(values):
    with pytest.raises(InputError, match="values of shape"):
        bootstrap_mean(values)


def test_measures_of_different_samples_are_refused():
    with pytest.raises(InputError, match="measures of 40, 39 samples"):
        bootstrap_means([torch.zeros(40), torch.zeros(39)])
