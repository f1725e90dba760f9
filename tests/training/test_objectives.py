"""Losses, soft targets and scores, against numbers worked out by hand."""

import math

import pytest
import torch

from relprop.training.objectives import loss, score, soft_targets


def test_smoothing_goes_to_all_classes_alike():
    soft = soft_targets(torch.tensor([2]), None, task="classes", outputs=4, smoothing=0.2)
    assert soft[0].tolist() == pytest.approx([0.05, 0.05, 0.85, 0.05])


def test_smoothing_of_labels_goes_halfway():
    labels = torch.tensor([[1.0, 0.0]])
    soft = soft_targets(labels, None, task="labels", outputs=2, smoothing=0.2)
    assert soft[0].tolist() == pytest.approx([0.9, 0.1])


def test_values_are_not_smoothed():
    value = torch.tensor([[3.0]])
    assert soft_targets(value, None, task="value", outputs=1, smoothing=0.2).item() == 3


def test_a_teacher_has_seven_tenths():
    teacher = torch.tensor([[0.5, 0.5]])
    soft = soft_targets(torch.tensor([0]), teacher, task="classes", outputs=2, smoothing=0.0)
    assert soft[0].tolist() == pytest.approx([0.65, 0.35])


def test_losses():
    even = torch.zeros(1, 4)
    target = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    assert loss(even, target, "classes").item() == pytest.approx(math.log(4))
    assert loss(even, target, "labels").item() == pytest.approx(math.log(2))
    assert loss(even + 2, target, "value").item() == pytest.approx((3 * 4 + 1) / 4)


def test_the_score_of_classes_is_the_accuracy():
    scores = torch.tensor([[2.0, 1], [0, 1], [3, 1], [0, 5]])
    assert score(scores, torch.tensor([0, 1, 1, 1]), "classes") == 0.75


def test_the_score_of_labels_is_the_mean_average_precision_of_those_that_are_seen():
    """First label: right, wrong, right by score: (1 + 2/3) / 2. Second: always first."""
    scores = torch.tensor([[3.0, 9, 1], [2, 0, 1], [1, 0, 1]])
    labels = torch.tensor([[1.0, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert score(scores, labels, "labels") == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert score(scores, torch.zeros(3, 3), "labels") == 0


def test_the_score_of_values_is_r_squared():
    values = torch.tensor([[0.0], [2.0], [4.0]])
    assert score(torch.tensor([[1.0], [2.0], [3.0]]), values, "value") == pytest.approx(1 - 2 / 8)


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0]])
def test_the_score_of_values_that_do_not_vary_is_by_a_variance_of_one(values):
    given = torch.tensor(values)[:, None]
    assert score(given + 0.5, given, "value") == pytest.approx(1 - 0.25)


def test_probabilities_of_classes_are_targets_as_they_are():
    given = torch.tensor([[0.25, 0.75]])
    soft = soft_targets(given, None, task="classes", outputs=2, smoothing=0.0)
    assert soft.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("task", ["classes", "labels", "value"])
def test_the_loss_of_members_is_the_mean_of_their_losses(task):
    scores = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0.2, 0.8]]).repeat(5, 1)
    want = sum(loss(scores[:, member], targets, task) for member in range(3)) / 3
    torch.testing.assert_close(loss(scores, targets, task), want)
