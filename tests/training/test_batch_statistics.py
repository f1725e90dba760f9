"""BatchNorm's statistics are those of the samples, whatever it collected before."""

import pytest
import torch
from torch import nn

from relprop.training.batch_statistics import MOST, renew_statistics
from relprop.training.train import Examples, train_network


def samples(n):
    return 3 + 2 * torch.randn(n, 2, 5, generator=torch.Generator().manual_seed(0))


def test_they_are_the_mean_and_the_variance_of_the_samples():
    norm, x = nn.BatchNorm1d(2).eval(), samples(40)
    renew_statistics(norm, x)
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2)))
    torch.testing.assert_close(norm.running_var, x.transpose(0, 1).flatten(1).var(1))
    assert not norm.training
    assert norm.momentum == 0.1


def test_of_many_samples_some_are_taken_from_all_over():
    norm = nn.BatchNorm1d(2)
    x = torch.arange(4.0 * MOST)[:, None, None].expand(-1, 2, 1)
    renew_statistics(norm, x)
    torch.testing.assert_close(
        norm.running_mean, torch.full((2,), (4 * MOST - 1) / 2), rtol=1e-3, atol=0
    )


def test_random_numbers_go_on_as_if_nothing_was_drawn():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    torch.manual_seed(0)
    renew_statistics(network, samples(10))
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize("checked", [True, False])
def test_a_training_with_noise_ends_with_the_statistics_of_samples_without(checked):
    x = samples(60)
    examples = Examples(x, (x.mean((1, 2)) > 3).long())
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(10, 2))
    settings = {"optimiser": "adamw", "rate": 0.01, "decay": 0.0, "batch": 20, "epochs": 5}
    validation = examples if checked else None
    train_network(
        network,
        examples,
        validation,
        {**settings, "noise": 5.0},
        task="classes",
        seed=0,
        seconds=60,
    )
    torch.testing.assert_close(network[0].running_mean, x.mean((0, 2)))
    torch.testing.assert_close(network[0].running_var, x.transpose(0, 1).flatten(1).var(1))
