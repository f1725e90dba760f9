"""What a network in training gives for validation samples, and how good that is."""

import math

import pytest
import torch
from torch import nn

from relprop.training.precision import NumberFormat
from relprop.training.validation import loss_and_score, outputs_of

PLAIN = NumberFormat("cpu", False, torch.contiguous_format)


def test_outputs_are_those_of_eval_mode_and_training_goes_on():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).train()
    inputs = torch.randn(1100, 3)  # more than two batches
    outputs = outputs_of(network, inputs, PLAIN)
    torch.testing.assert_close(outputs, network[0](inputs).detach())
    assert network.training
    assert not outputs.requires_grad


def test_loss_and_accuracy_of_classes():
    outputs = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])  # probabilities 1/4 and 3/4
    loss, score = loss_and_score(outputs, torch.tensor([1, 0]), "classes")
    assert loss == pytest.approx(-(math.log(3 / 4) + math.log(1 / 4)) / 2)
    assert score == 0.5


def test_outputs_that_are_no_numbers_are_worse_than_all_others():
    loss, score = loss_and_score(torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "classes")
    assert math.isnan(loss)
    assert score == -math.inf
