"""Which model is better beyond chance, and which are averaged."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from relprop.search.choice import beats, choose_average, goodness, is_better

TARGETS = torch.arange(100) % 2


def right_in(count, confidence=2.0):
    """Outputs (100, 2) that are right for the first `count` samples."""
    right = torch.where(torch.arange(100) < count, confidence, -confidence)
    sign = torch.where(TARGETS == 1, right, -right)
    return torch.stack([-sign, sign], 1) / 2


def test_a_difference_counts_from_two_standard_errors_on():
    # 4 gained of 100: the mean is 0.04, its standard error sqrt(0.04 * 0.96 / 99) = 0.0197
    assert is_better(right_in(84), right_in(80), TARGETS, "classes", errors=2.0)
    assert not is_better(right_in(83), right_in(80), TARGETS, "classes", errors=2.0)
    assert not is_better(right_in(80), right_in(84), TARGETS, "classes", errors=2.0)
    assert not is_better(right_in(80), right_in(80), TARGETS, "classes", errors=0.0)


def test_of_a_single_sample_nothing_is_beyond_chance():
    targets = torch.tensor([0])
    better, worse = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert not is_better(better, worse, targets, "classes", errors=2.0)


def test_outputs_beat_others_by_score_and_loss_together():
    sure, unsure = right_in(84), right_in(80, confidence=0.5)
    assert beats(right_in(84), right_in(80), TARGETS, "classes")
    assert not beats(right_in(80), right_in(84), TARGETS, "classes")
    assert not beats(right_in(84, confidence=9.0), unsure, TARGETS, "classes")  # a higher loss
    assert not beats(sure, sure, TARGETS, "classes")


def test_goodness_by_task():
    assert goodness(right_in(80), TARGETS, "classes").mean() == pytest.approx(0.8)
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    outputs = torch.tensor([[3.0, 2.0], [1.0, 0.5]])
    assert goodness(outputs, labels, "labels").tolist() == [0.5, 1.0]
    values = torch.tensor([[1.0], [2.0]])
    assert goodness(torch.tensor([[1.5], [2.0]]), values, "value").tolist() == [-0.25, 0.0]


def test_models_that_help_are_averaged_and_others_are_not():
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(100, 2, generator=generator) for _ in range(3)]
    true = right_in(100, 0.6)
    helpful = [true + noise[0], true + noise[1], true + noise[2]]
    outputs = [helpful[0], -true * 9, *helpful[1:]]
    chosen = choose_average(outputs, TARGETS, "classes", most=5)
    assert 1 not in chosen
    assert len(chosen) > 1
    mean = torch.stack([outputs[number] for number in chosen]).mean(0)
    assert cross_entropy(mean, TARGETS) < cross_entropy(outputs[0], TARGETS)
    assert (mean.argmax(1) == TARGETS).sum() >= (outputs[0].argmax(1) == TARGETS).sum()
    assert len(choose_average([*helpful, *helpful], TARGETS, "classes", most=2)) == 2


def test_one_model_is_itself():
    assert choose_average([right_in(10)], TARGETS, "classes", most=5) == (0,)


def test_values_are_averaged_by_their_error():
    values = torch.zeros(10, 1)
    outputs = [torch.full((10, 1), v) for v in (1.0, -1.0, 5.0)]
    assert choose_average(outputs, values, "value", most=5) == (0, 1)


def test_a_model_that_makes_the_average_no_more_right_but_too_sure_is_left_out():
    unsure, too_sure = right_in(80, 0.5), right_in(80, 50.0)
    assert choose_average([unsure, too_sure], TARGETS, "classes", most=5) == (0,)


def test_a_model_that_makes_the_average_less_right_is_left_out_though_the_loss_is_lower():
    targets = torch.tensor([0, 0])
    first = torch.tensor([[0.1, 0.0], [0.0, 10.0]])  # right by little, wrong by much
    other = torch.tensor([[0.0, 0.3], [5.0, 0.0]])
    mean = (first + other) / 2
    assert cross_entropy(mean, targets) < cross_entropy(first, targets)
    assert choose_average([first, other], targets, "classes", most=5) == (0,)
