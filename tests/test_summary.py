"""Summaries of readings, each number against its textbook formula."""

import math
from statistics import NormalDist, mean, stdev

import pytest
import torch

from relprop.evaluate import Reading
from relprop.evaluate.statistics.classification import cell, margins, paired_difference, share

Z = NormalDist().inv_cdf(0.975)


def wilson(count, n):
    """(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)."""
    p = count / n
    centre, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n * n))
    return (centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (909, 1000)])
def test_a_share_has_its_wilson_interval(count, n):
    got = share(count, n)
    assert (got.count, got.n, got.share) == (count, n, count / n)
    assert (got.interval.low, got.interval.high) == pytest.approx(wilson(count, n), abs=1e-12)


def test_a_mean_margin_has_its_t_interval():
    values = [0.5, 0.25, 0.75, 0.625, 0.5]
    half = 2.7764451052 * stdev(values) / math.sqrt(5)  # t of 4 degrees of freedom at 97.5 %
    got = margins(torch.tensor(values))
    assert (got.n, got.strongest, got.mean) == (5, 0.75, mean(values))
    assert got.interval.low == pytest.approx(mean(values) - half)
    assert got.interval.high == pytest.approx(mean(values) + half)


def test_an_interval_of_a_margin_stays_in_its_range():
    got = margins(torch.tensor([0.0, 1.0])).interval
    assert (got.low, got.high) == (0.0, 1.0)


def test_a_group_too_small_for_a_number_has_none():
    empty, one = margins(torch.empty(0)), margins(torch.tensor([0.5]))
    assert (empty.n, empty.strongest, empty.mean, empty.interval) == (0, None, None, None)
    assert (one.n, one.strongest, one.mean, one.interval) == (1, 0.5, 0.5, None)


def test_a_cell_tells_apart_what_is_read_correctly_and_what_is_misread():
    reading = Reading(torch.tensor([0, 1, 2, 3, 3]), torch.tensor([0.5, 0.25, 1.0, 0.75, 0.125]))
    got = cell(reading, torch.tensor([0, 1, 2, 0, 0]))
    assert (got.correct.n, got.correct.strongest) == (3, 1.0)
    assert got.correct.mean == pytest.approx(1.75 / 3)
    assert (got.wrong.n, got.wrong.strongest, got.wrong.mean) == (2, 0.75, 0.4375)
    assert (got.misread.count, got.misread.n, got.misread.share) == (2, 5, 0.4)


def test_a_paired_difference_counts_where_the_two_disagree():
    """9 misread under the first alone, 1 under the second alone, 4 under both, of 20."""
    first = torch.tensor([True] * 9 + [False] + [True] * 4 + [False] * 6)
    second = torch.tensor([False] * 9 + [True] + [True] * 4 + [False] * 6)
    got = paired_difference(first, second)
    assert (got.only_first, got.only_second, got.difference) == (9, 1, 8 / 20)
    # McNemar, exact: 10 coin throws, at most 1 or at least 9 heads
    assert got.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    # Wald's interval of the table with 0.5 added to each of its four cells
    b, c, n = 9.5, 1.5, 22.0
    half = Z * math.sqrt(b + c - (b - c) ** 2 / n) / n
    assert got.interval.low == pytest.approx((b - c) / n - half)
    assert got.interval.high == pytest.approx((b - c) / n + half)


def test_two_treatments_that_agree_everywhere_do_not_differ():
    same = torch.tensor([True, False, True])
    got = paired_difference(same, same)
    assert (got.difference, got.p_value) == (0.0, 1.0)
    assert got.interval.low == -got.interval.high
