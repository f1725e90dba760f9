"""What the figures of a report draw."""

import pytest
import torch

from relprop.bundle_report.figures import (
    calibration_figure,
    confusion_figure,
    training_figure,
    value_figure,
)
from relprop.bundle_report.measures import calibration
from relprop.bundles.content import CurvePoint


def test_true_classes_are_the_rows_of_a_confusion_matrix():
    confusion = torch.tensor([[8, 2], [0, 5]])
    (axes,) = confusion_figure(confusion, ("cat", "iris versicolor")).axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "8", (1, 0): "2", (0, 1): "0", (1, 1): "5"}  # (column, row)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_images()[0].get_array().tolist() == [[0.8, 0.2], [0.0, 1.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "iris versicol\u2026"]


def test_training_and_validation_are_drawn_over_epochs():
    points = [CurvePoint(0, i / 3, i, i, 2.0 - i, 2.5 - i, i / 4) for i in range(3)]
    losses, scores = training_figure(points, "accuracy").axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in losses.lines}
    assert drawn == {"training": [2.0, 1.0, 0.0], "validation": [2.5, 1.5, 0.5]}
    assert losses.lines[0].get_xdata().tolist() == [point.epoch for point in points]
    assert scores.lines[0].get_ydata().tolist() == [0.0, 0.25, 0.5]
    assert scores.get_ylabel() == "validation accuracy"


def test_the_share_that_holds_is_drawn_over_the_probability():
    measured = calibration(torch.tensor([0.95, 0.91, 0.25]), torch.tensor([True, False, True]))
    (axes,) = calibration_figure(measured).axes
    bars = axes.containers[0][0]
    assert bars.get_xdata().tolist() == pytest.approx([0.25, 0.93])
    assert bars.get_ydata().tolist() == [1.0, 0.5]


def test_predicted_values_are_drawn_over_true_ones():
    predicted, true = torch.tensor([1.0, 2.5]), torch.tensor([1.5, 2.0])
    (axes,) = value_figure(predicted, true, "weight").axes
    assert axes.collections[0].get_offsets().tolist() == [[1.5, 1.0], [2.0, 2.5]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true weight", "predicted weight")
