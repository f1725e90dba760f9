"""Measures of predictions against hand-made counts."""

import pytest
import torch

from relprop.bundle_report.measures import (
    calibration,
    class_measures,
    confusion_matrix,
    label_measures,
    value_measures,
)

NAMES = ("cat", "dog", "owl")


def test_true_classes_are_rows_of_a_confusion_matrix():
    matrix = confusion_matrix(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 2]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_recall_and_precision_are_shares_with_intervals_and_none_of_nothing():
    cat, dog, owl = class_measures(torch.tensor([[8, 2, 0], [1, 9, 0], [0, 0, 0]]), NAMES)
    assert (cat.recall.count, cat.recall.n, cat.n) == (8, 10, 10)
    assert (cat.precision.count, cat.precision.n) == (8, 9)
    assert cat.f1 == pytest.approx(2 * 8 / 19)
    assert cat.recall.interval.low == pytest.approx(0.4902, abs=1e-4)  # Wilson 1927
    assert dog.precision.value == pytest.approx(9 / 11)
    assert (owl.recall, owl.precision, owl.f1) == (None, None, None)


def test_labels_are_measured_each_with_the_area_of_its_curve():
    logits = torch.tensor([[1.0, -1.0], [2.0, -2.0], [-1.0, 3.0], [-3.0, 1.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    first, second = label_measures(logits, labels, ("a", "b"))
    assert (first.recall.count, first.recall.n, first.precision.n) == (1, 2, 2)
    # by falling logit the labels are 0, 1, 1, 0: precision 1/2 and 2/3 where a label is found
    assert first.average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (second.n, second.recall, second.average_precision) == (0, None, None)


def test_calibration_compares_probabilities_with_shares_in_bins():
    probabilities = torch.tensor([0.95, 0.91, 0.28, 0.25, 1.0])
    measured = calibration(probabilities, torch.tensor([True, False, False, True, True]))
    low, high = measured.bins
    assert (low.low, low.high, low.right.count, low.right.n) == (0.2, 0.3, 1, 2)
    assert (high.low, high.right.n) == (0.9, 3)
    assert high.confidence == pytest.approx((0.95 + 0.91 + 1.0) / 3)
    expected = 2 / 5 * abs(0.5 - 0.265) + 3 / 5 * abs(2 / 3 - 2.86 / 3)
    assert measured.error == pytest.approx(expected)


def test_values_are_measured_in_their_own_units():
    measured = value_measures(torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 3.0, 3.0]))
    assert measured.absolute.mean == pytest.approx(1.0)
    assert measured.root_square == pytest.approx((5 / 3) ** 0.5)
    assert measured.r2 == pytest.approx(1 - 5 / (8 / 3))
    assert value_measures(torch.zeros(2), torch.zeros(2)).r2 is None
