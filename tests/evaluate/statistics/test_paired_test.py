"""The sign-flip test, against loops over all sign patterns and against scipy's tests."""

from itertools import product

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import bootstrap_mean, paired_test, paired_tests


def errors(only_first, only_second, both, n):
    """Errors of two methods on n samples, of which these many are misclassified."""
    first, second = torch.zeros(n), torch.zeros(n)
    first[: only_first + both] = 1.0
    second[only_first : only_first + both + only_second] = 1.0
    return first, second


def test_few_differences_are_tested_by_every_sign_pattern():
    """Against a loop over all 2 ** 6, where two of eight differences are 0."""
    first = torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6]).double()
    second = torch.tensor([2.0, 7, 1, 1, 2, 8, 2, 1]).double()
    changing = [float(d) for d in first - second if d]
    sums = [abs(sum(s * d for s, d in zip(signs, changing, strict=True)))
            for signs in product((1, -1), repeat=6)]  # fmt: skip
    expected = sum(total >= abs(sum(changing)) for total in sums) / len(sums)
    got = paired_test(first, second)
    assert got.p_value == expected
    assert got.difference == bootstrap_mean(first - second)
    assert paired_test(second, first).p_value == expected


def test_rounding_makes_no_pattern_less_extreme_than_itself():
    """Summed in another order, some of these sets of tenths differ in the last place."""
    for seed in range(20):
        values = torch.rand(12, generator=torch.Generator().manual_seed(seed)).double()
        values = values.round(decimals=1) + 0.1
        assert paired_test(values, torch.zeros(12).double()).p_value == 2 / 2**12


def test_few_differences_agree_with_scipy():
    gen = torch.Generator().manual_seed(0)
    first, second = (torch.randn(12, generator=gen) + shift for shift in (0.6, 0.0))
    expected = stats.permutation_test(
        (first.double().numpy() - second.double().numpy(),),
        *(lambda d, axis: d.mean(axis),),
        **{"permutation_type": "samples", "vectorized": True, "n_resamples": 5000},
    ).pvalue
    assert paired_test(first, second).p_value == pytest.approx(expected, abs=1e-12)


def test_many_differences_are_estimated_from_random_patterns():
    """Of 16 differences, all 65,536 sign patterns can still be enumerated for comparison."""
    gen = torch.Generator().manual_seed(0)
    first, second = torch.randn(16, generator=gen) + 0.8, torch.randn(16, generator=gen)
    difference = first.double() - second.double()
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0]).double()] * 16)
    exact = float(((signs @ difference).abs() >= difference.sum().abs() - 1e-9).double().mean())
    error = 4 * (exact * (1 - exact) / 9999) ** 0.5
    got = paired_test(first, second)
    assert 0.01 < exact < 0.5
    assert got.p_value == pytest.approx(exact, abs=error)
    assert paired_test(first, second) == got


@pytest.mark.parametrize(
    ("only_first", "only_second", "both", "n"),
    [
        (9, 1, 4, 20),
        (9, 2, 0, 60),
        (20, 8, 3, 60),
        (5, 5, 0, 10),
        (700, 12, 30, 1000),
        (1, 0, 0, 1),
    ],
)
def test_errors_have_the_p_value_of_mcnemars_exact_test(only_first, only_second, both, n):
    first, second = errors(only_first, only_second, both, n)
    got = paired_test(first, second)
    expected = stats.binomtest(only_first, only_first + only_second).pvalue
    assert got.p_value == pytest.approx(expected, rel=1e-9)
    assert got.difference.mean == pytest.approx((only_first - only_second) / n)
    assert paired_test(first.bool(), second.bool()) == got


def test_an_interval_of_errors_is_close_to_that_of_agresti_and_min():
    """Wald's interval with 0.5 added to each of the four cells; 200 samples."""
    b, c, n = 30.5, 10.5, 202.0
    half = stats.norm.ppf(0.975) * (b + c - (b - c) ** 2 / n) ** 0.5 / n
    got = paired_test(*errors(30, 10, 20, 200)).difference.interval
    assert got.low == pytest.approx((b - c) / n - half, abs=0.01)
    assert got.high == pytest.approx((b - c) / n + half, abs=0.01)


def test_methods_that_never_differ_have_a_p_value_of_1():
    assert paired_test(torch.ones(5), torch.ones(5)).p_value == 1.0


def test_a_test_prints_no_p_value_of_zero():
    assert str(paired_test(*errors(3, 0, 0, 3))) == "1.0000 [1.0000, 1.0000], p = 0.2500"
    assert str(paired_test(*errors(20, 0, 0, 20))) == "1.0000 [1.0000, 1.0000], p < 0.0001"


def test_several_pairs_have_the_results_that_each_has_alone():
    """One with few differences, whose test is exact, between two with random patterns."""
    a, b, c = torch.rand(3, 40, generator=torch.Generator().manual_seed(0))
    almost = a.clone()
    almost[:5] = b[:5]
    pairs = [(a, b), (a, almost), (b, c)]
    assert paired_tests(pairs, seed=2) == [paired_test(*pair, seed=2) for pair in pairs]


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2), torch.tensor([torch.nan])])
def test_values_that_are_not_one_number_per_sample_are_refused(values):
    with pytest.raises(InputError, match="values of shape"):
        paired_test(values, values)


def test_pairs_are_of_the_same_samples():
    with pytest.raises(InputError, match=r"values of shape \(2,\) and \(3,\)"):
        paired_test(torch.zeros(2), torch.zeros(3))
