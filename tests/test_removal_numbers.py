"""The numbers of curves: hand-made curves, and statistics whose distribution is known."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import (
    MethodCurves,
    Reading,
    RemovalCurve,
    abpc,
    aopc,
    estimate,
    faithfulness,
    faithfulness_each,
    margin_drop,
    misread,
    paired,
    paired_each,
    srg,
)
from relprop.evaluate.statistics import estimates
from relprop.evaluate.statistics.classification import paired_difference


def curve(scores, order="morf", prediction=None, margin=None, counts=(0, 1, 4)):
    scores = torch.tensor(scores).double()
    n, columns = scores.shape
    prediction = torch.zeros(n, columns).long() if prediction is None else torch.tensor(prediction)
    return RemovalCurve(
        order=order,
        score="logit",
        fill="zero",
        scores=scores,
        reading=Reading(prediction, scores if margin is None else torch.tensor(margin)),
        counts=torch.tensor([counts]),
        units=torch.tensor([counts[-1]]),
        target=torch.zeros(n).long(),
        ties=torch.zeros(n).long(),
    )


MORF = curve([[1.0, 0.4, 0.2], [0.8, 0.8, 0.0]])
LERF = curve([[1.0, 0.8, 0.2], [0.8, 0.8, 0.0]], "lerf")


# ---- each sample -----------------------------------------------------------------------


def test_areas_by_hand():
    """Trapezoids over shares 0, 1/4, 1: (1 + 0.4) / 8 + (0.4 + 0.2) * 3 / 8."""
    torch.testing.assert_close(MORF.auc, torch.tensor([0.175 + 0.225, 0.2 + 0.3]).double())
    torch.testing.assert_close(LERF.auc, torch.tensor([0.225 + 0.375, 0.5]).double())
    torch.testing.assert_close(srg(MORF, LERF), torch.tensor([0.2, 0.0]).double())


def test_areas_over_and_between_curves_are_means_over_columns():
    torch.testing.assert_close(aopc(MORF), torch.tensor([1.4 / 3, 0.8 / 3]).double())
    torch.testing.assert_close(abpc(MORF, LERF), torch.tensor([0.4 / 3, 0.0]).double())
    torch.testing.assert_close(abpc(MORF, LERF), aopc(MORF) - aopc(LERF))


def test_misread_is_against_labels_or_what_was_read_before():
    got = curve([[1.0, 1, 1]] * 3, prediction=[[0, 1, 1], [1, 1, 1], [2, 2, 0]])
    assert misread(got, 0.25).tolist() == [1, 0, 0]
    assert misread(got, 1.0).tolist() == [1, 0, 1]
    assert misread(got, 0.25, torch.tensor([1, 1, 1])).tolist() == [0, 0, 1]


def test_the_margin_drop_is_from_the_untouched_sample():
    got = curve([[1.0, 1, 1]] * 2, margin=[[0.9, 0.5, 0.7], [0.2, 0.1, 0.3]])
    torch.testing.assert_close(margin_drop(got, 0.25), torch.tensor([0.4, 0.1]))
    torch.testing.assert_close(margin_drop(got, 1.0), torch.tensor([0.2, -0.1]))


@pytest.mark.parametrize(
    "other",
    [
        curve([[1.0, 1, 1]]),
        curve([[1.0, 1, 1]] * 2, counts=(0, 2, 4)),
        replace(LERF, fill="blur"),
        replace(LERF, score="margin"),
    ],
)
def test_curves_that_differ_in_more_than_their_order_are_not_subtracted(other):
    for measure in (srg, abpc):
        with pytest.raises(InputError, match="two curves that differ in more than their order"):
            measure(MORF, other)


# ---- means and intervals ---------------------------------------------------------------


@pytest.mark.parametrize(("n", "ones"), [(8, 2), (40, 13), (300, 30)])
def test_the_bootstrap_of_a_share_has_binomial_quantiles(n, ones):
    """The mean of n draws with replacement from 0s and 1s is Binomial(n, p) / n."""
    values = torch.zeros(n)
    values[:ones] = 1
    got = estimate(values)
    binomial = stats.binom(n, ones / n)
    for level, end in ((0.025, got.interval.low), (0.975, got.interval.high)):
        allowed = {int(binomial.ppf(level + shift)) for shift in (-0.01, 0, 0.01)}
        assert round(end * n) in allowed
        assert len(allowed) <= 3
    assert (got.mean, got.n) == (pytest.approx(ones / n), n)


def test_the_bootstrap_of_a_mean_agrees_with_scipy():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0)).exp().double()
    got = estimate(values).interval
    expected = stats.bootstrap(
        (values.numpy(),), lambda v, axis: v.mean(axis), method="percentile", rng=0
    ).confidence_interval
    # an end of a 95 % interval by 1,999 resamples has a deviation of 1.5 % of its width
    width = expected.high - expected.low
    assert got.low == pytest.approx(expected.low, abs=0.05 * width)
    assert got.high == pytest.approx(expected.high, abs=0.05 * width)


def test_the_seed_decides_the_interval():
    values = torch.rand(30, generator=torch.Generator().manual_seed(0))
    assert estimate(values) == estimate(values)
    assert estimate(values) != estimate(values, seed=1)


def test_one_sample_has_a_mean_and_no_interval():
    got = estimate(torch.tensor([0.25]))
    assert (got.mean, got.interval, got.n) == (0.25, None, 1)
    assert str(got) == "0.2500"


def test_an_estimate_prints_its_interval():
    assert str(estimate(torch.full((4,), 0.5))) == "0.5000 [0.5000, 0.5000]"


# ---- pairs -----------------------------------------------------------------------------


def test_few_differences_are_tested_by_every_pattern_of_signs():
    """Against a loop over all 2 ** 6, where two of eight differences are 0."""
    first = torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6]).double()
    second = torch.tensor([2.0, 7, 1, 1, 2, 8, 2, 1]).double()
    changing = [float(d) for d in first - second if d]
    sums = [abs(sum(s * d for s, d in zip(signs, changing, strict=True)))
            for signs in product((1, -1), repeat=6)]  # fmt: skip
    expected = sum(total >= abs(sum(changing)) for total in sums) / len(sums)
    got = paired(first, second)
    assert got.p_value == expected
    assert got.difference == estimate(first - second)
    assert paired(second, first).p_value == expected


def test_rounding_makes_no_pattern_less_than_itself():
    """Summed in another order, some of these sets of tenths differ in the last place."""
    for seed in range(20):
        values = torch.rand(12, generator=torch.Generator().manual_seed(seed)).double()
        values = values.round(decimals=1) + 0.1
        assert paired(values, torch.zeros(12).double()).p_value == 2 / 2**12


def test_the_test_agrees_with_scipy():
    gen = torch.Generator().manual_seed(0)
    first, second = (torch.randn(12, generator=gen) + shift for shift in (0.6, 0.0))
    expected = stats.permutation_test(
        (first.double().numpy() - second.double().numpy(),),
        *(lambda d, axis: d.mean(axis),),
        **{"permutation_type": "samples", "vectorized": True, "n_resamples": 5000},
    ).pvalue
    assert paired(first, second).p_value == pytest.approx(expected, abs=1e-12)


def test_many_differences_are_tested_by_patterns_that_are_drawn():
    """Of 60 samples, 20 changed in one way and 8 in the other: exact by the binomial."""
    first, second = torch.zeros(60), torch.zeros(60)
    first[:20], second[20:28] = 1.0, 1.0
    exact = paired_difference(first.bool(), second.bool()).p_value  # McNemar's test
    error = 4 * (exact * (1 - exact) / 9999) ** 0.5
    assert paired(first, second).p_value == pytest.approx(exact, abs=error)
    assert paired(first, second) == paired(first, second)


def test_shares_of_few_samples_have_mcnemars_p_value():
    first, second = torch.zeros(60), torch.zeros(60)
    first[:9], second[9:11] = 1.0, 1.0
    expected = paired_difference(first.bool(), second.bool())
    got = paired(first, second)
    assert got.p_value == pytest.approx(expected.p_value, abs=1e-12)
    assert got.difference.mean == pytest.approx(expected.difference)


def test_methods_that_never_differ_have_a_p_value_of_1():
    assert paired(torch.ones(5), torch.ones(5)).p_value == 1.0


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2), torch.tensor([torch.nan])])
def test_values_that_are_not_one_number_each_are_refused(values):
    for statistic in (estimate, lambda v: paired(v, v)):
        with pytest.raises(InputError, match="values of shape"):
            statistic(values)


def test_pairs_are_of_the_same_samples():
    with pytest.raises(InputError, match=r"values of shape \(2,\) and \(3,\)"):
        paired(torch.zeros(2), torch.zeros(3))


def test_measures_of_the_same_samples_may_be_drawn_for_together():
    """One with few differences, whose test is exact, between two whose test is drawn."""
    gen = torch.Generator().manual_seed(0)
    a, b, c = torch.rand(3, 40, generator=gen)
    almost = a.clone()
    almost[:5] = b[:5]
    assert estimates([a, b, c], seed=2) == [estimate(one, seed=2) for one in (a, b, c)]
    pairs = [(a, b), (a, almost), (b, c)]
    assert paired_each(pairs, seed=2) == [paired(*pair, seed=2) for pair in pairs]
    with pytest.raises(InputError, match="measures of 40, 39 samples"):
        estimates([a, b[:39]])


# ---- shown -----------------------------------------------------------------------------


def test_a_curve_shows_its_mean():
    shown = "<RemovalCurve morf, logit, fill zero, 2 samples: 0.900 0.600 0.100>"
    assert repr(MORF) == str(MORF) == shown


# ---- all of them -----------------------------------------------------------------------


def test_a_method_s_numbers_are_those_of_its_curves():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    curves, labels = MethodCurves(MORF, LERF, random), torch.tensor([1, 0])
    got = faithfulness(curves, q=0.25, labels=labels, seed=3)
    assert got.morf == estimate(MORF.auc, seed=3)
    assert got.lerf == estimate(LERF.auc, seed=3)
    assert got.random == estimate(random.auc, seed=3)
    assert got.srg == estimate(srg(MORF, LERF), seed=3)
    assert got.abpc == estimate(abpc(MORF, LERF), seed=3)
    assert got.aopc == estimate(aopc(MORF), seed=3)
    assert got.against_random == paired(random.auc, MORF.auc, seed=3)
    assert got.misread == estimate(misread(MORF, 0.25, labels), seed=3)
    assert got.margin_drop == estimate(margin_drop(MORF, 0.25), seed=3)
    lines = str(got).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("morf", "lerf", "random", "srg", "abpc", "aopc"),
        *("against_random", "misread", "margin_drop"),
    ]
    assert lines[3] == f"srg             {got.srg}"
    short = faithfulness(curves)
    assert (short.misread, short.margin_drop) == (None, None)
    assert len(str(short).splitlines()) == 7


def test_methods_have_the_same_numbers_together_as_alone():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    methods = {"a": MethodCurves(MORF, LERF, random), "b": MethodCurves(random, MORF, LERF)}
    together = faithfulness_each(methods, q=0.25, seed=3)
    assert together == {name: faithfulness(one, q=0.25, seed=3) for name, one in methods.items()}
