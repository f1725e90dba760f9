"""Optimisers, the learning rate's course, and averaged weights, against their definitions."""

import pytest
import torch
from torch import nn

from relprop.training.optimisation import make_average, make_optimiser, rate_factor, set_rate
from relprop.training.settings import TrainingSettings


def settings(optimiser="sgd"):
    return TrainingSettings(optimiser, rate=0.5, decay=0.1, batch=8, epochs=1)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_weights_decay_and_biases_do_not(optimiser):
    layer = nn.Linear(2, 2)
    nn.init.ones_(layer.weight), nn.init.ones_(layer.bias)
    made = make_optimiser(layer, settings(optimiser))
    layer.weight.grad, layer.bias.grad = torch.zeros(2, 2), torch.zeros(2)
    made.step()
    nesterov = 1.9 if optimiser == "sgd" else 1
    torch.testing.assert_close(layer.weight.detach(), torch.full((2, 2), 1 - 0.05 * nesterov))
    assert layer.bias.tolist() == [1, 1]


def test_frozen_weights_are_left_out():
    layer = nn.Linear(2, 2)
    layer.weight.requires_grad_(False)
    groups = make_optimiser(layer, settings()).param_groups
    assert [len(group["params"]) for group in groups] == [0, 1]


def test_the_rate_rises_for_a_fifth_and_falls_to_zero():
    factors = [rate_factor(progress) for progress in (0, 0.1, 0.2, 0.6, 1)]
    assert factors == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_the_rate_is_set_in_all_groups():
    optimiser = make_optimiser(nn.Linear(2, 2), settings())
    set_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]


class Counted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0]))
        self.register_buffer("index", torch.tensor([3]))


def test_the_average_forgets_faster_at_the_start_and_takes_whole_numbers_as_they_are():
    network = Counted()
    average = make_average(network, decay=0.25)
    average.update_parameters(network)  # starts as a copy
    with torch.no_grad():
        network.weight.fill_(1.0)
        network.index.fill_(7)
    average.update_parameters(network)  # keeps 2/11, less than 0.25
    assert average.module.weight.item() == pytest.approx(9 / 11)
    for _ in range(2):  # keep 3/12 and then no more than 0.25
        average.update_parameters(network)
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11 * 0.25**2)
    assert average.module.index.item() == 7
