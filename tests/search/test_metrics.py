"""Metrics of a part of the data: their values by definition, their intervals."""

import pytest
import torch
from sklearn.metrics import average_precision_score, balanced_accuracy_score, log_loss, r2_score

from relprop.bundles.content import ValueScale
from relprop.search.metrics import measure

GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(200, 3, generator=GENERATOR)
CLASSES = torch.randint(3, (200,), generator=GENERATOR)


def named(metrics):
    return {metric.name: metric for metric in metrics}


def test_classes():
    found = named(measure(OUTPUTS, CLASSES, "classes", ValueScale()))
    guesses = OUTPUTS.argmax(1)
    assert list(found) == ["accuracy", "mean recall of classes", "log loss"]
    assert found["accuracy"].value == pytest.approx(float((guesses == CLASSES).float().mean()))
    recall = balanced_accuracy_score(CLASSES, guesses)
    assert found["mean recall of classes"].value == pytest.approx(recall)
    loss = log_loss(CLASSES, OUTPUTS.double().softmax(1))
    assert found["log loss"].value == pytest.approx(loss)
    assert found["log loss"].low < loss < found["log loss"].high


def test_the_interval_of_the_accuracy_is_wilson_s():
    outputs = torch.zeros(10, 2)
    outputs[:8, 0] = 1
    outputs[8:, 1] = 1
    found = measure(outputs, torch.zeros(10, dtype=torch.int64), "classes", ValueScale())[0]
    # z = 1.96: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
    assert (found.value, found.n) == (0.8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_labels():
    labels = (torch.rand(200, 3, generator=GENERATOR) > 0.6).float()
    found = named(measure(OUTPUTS, labels, "labels", ValueScale()))
    precision = average_precision_score(labels, OUTPUTS)
    assert found["mean average precision"].value == pytest.approx(precision)
    right = float(((OUTPUTS > 0) == (labels > 0.5)).float().mean())
    assert found["share of right labels"].value == pytest.approx(right)


def test_values_in_their_own_units():
    true = torch.randn(200, 1, generator=GENERATOR)
    outputs = true + 0.3 * torch.randn(200, 1, generator=GENERATOR)
    found = named(measure(outputs, true, "value", ValueScale(5.0, 10.0)))
    assert found["R^2"].value == pytest.approx(r2_score(true, outputs), abs=1e-6)
    assert found["R^2"].low < found["R^2"].value < found["R^2"].high
    error = float((outputs - true).abs().mean()) * 10
    assert found["mean absolute error"].value == pytest.approx(error, rel=1e-5)


def test_constant_values_have_no_share_of_variance():
    found, error = measure(torch.zeros(5, 1), torch.ones(5, 1), "value", ValueScale())
    assert (found.value, found.low, found.n) == (None, None, 5)
    assert error.value == pytest.approx(1)


def test_the_interval_of_few_values_is_that_of_draws_which_vary():
    """Of two samples a draw is both, or one of them twice, which has no variance."""
    true, outputs = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.5], [2.0]])
    found = measure(outputs, true, "value", ValueScale())[0]
    assert (found.value, found.low, found.high) == pytest.approx((1 - 0.25 / 2,) * 3)
