"""Error rates and margins, each number against its textbook formula."""

import math
from statistics import NormalDist, mean, stdev

import pytest
import torch

from relprop.evaluate import Predictions, classification_summary
from relprop.evaluate.statistics.classification import margin_statistics, proportion

Z = NormalDist().inv_cdf(0.975)


def wilson(count, n):
    """(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)."""
    p = count / n
    centre, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n * n))
    return (centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (909, 1000)])
def test_a_proportion_has_its_wilson_interval(count, n):
    got = proportion(count, n)
    assert (got.count, got.n, got.value) == (count, n, count / n)
    assert (got.interval.low, got.interval.high) == pytest.approx(wilson(count, n), abs=1e-12)


def test_a_mean_margin_has_its_t_interval():
    values = [0.5, 0.25, 0.75, 0.625, 0.5]
    half = 2.7764451052 * stdev(values) / math.sqrt(5)  # t of 4 degrees of freedom at 97.5 %
    got = margin_statistics(torch.tensor(values))
    assert (got.n, got.largest, got.mean) == (5, 0.75, mean(values))
    assert got.interval.low == pytest.approx(mean(values) - half)
    assert got.interval.high == pytest.approx(mean(values) + half)


def test_an_interval_of_a_margin_stays_in_its_range():
    got = margin_statistics(torch.tensor([0.0, 1.0])).interval
    assert (got.low, got.high) == (0.0, 1.0)


def test_a_group_too_small_for_a_number_has_none():
    empty, one = margin_statistics(torch.empty(0)), margin_statistics(torch.tensor([0.5]))
    assert (empty.n, empty.largest, empty.mean, empty.interval) == (0, None, None, None)
    assert (one.n, one.largest, one.mean, one.interval) == (1, 0.5, 0.5, None)


def test_a_summary_separates_correct_from_wrong_predictions():
    predictions = Predictions(
        torch.tensor([0, 1, 2, 3, 3]), torch.tensor([0.5, 0.25, 1.0, 0.75, 0.125])
    )
    got = classification_summary(predictions, torch.tensor([0, 1, 2, 0, 0]))
    assert (got.correct.n, got.correct.largest) == (3, 1.0)
    assert got.correct.mean == pytest.approx(1.75 / 3)
    assert (got.wrong.n, got.wrong.largest, got.wrong.mean) == (2, 0.75, 0.4375)
    assert (got.error_rate.count, got.error_rate.n, got.error_rate.value) == (2, 5, 0.4)
