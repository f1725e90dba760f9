"""Training of what is left: against the same steps written out."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from relprop.errors import InputError
from relprop.use import finetune


def test_its_steps_are_those_of_adamw_with_a_rate_that_falls_to_zero():
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    other = copy.deepcopy(model)
    x, y = torch.randn(128, 3, dtype=torch.float64), torch.arange(128) % 2
    finetune(model, x, y, epochs=2, rate=0.1, seed=5)
    optimiser = torch.optim.AdamW(other.parameters(), 0.1)
    generator = torch.Generator().manual_seed(5)
    for step in range(4):  # two batches an epoch
        if step % 2 == 0:
            order = torch.randperm(128, generator=generator)
        rows = order[64 * (step % 2) : 64 * (step % 2 + 1)]
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 4)
        optimiser.zero_grad()
        cross_entropy(other(x[rows]), y[rows]).backward()
        optimiser.step()
    assert torch.allclose(model.weight, other.weight, rtol=0, atol=1e-12)
    assert not model.training
    assert model.weight.grad is None


def test_what_is_frozen_stays():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    finetune(model, torch.randn(8, 2), torch.arange(8) % 2, epochs=1)
    assert torch.equal(model[0].weight, before["0.weight"])
    assert not torch.equal(model[1].weight, before["1.weight"])


LAYER = nn.Linear(2, 2)
WRONG = [
    ({"epochs": 0}, "write epochs=2"),
    ({"rate": 0}, "write rate=0.001"),
    ({"rate": "fast"}, "write rate=0.001"),
    ({"rate": float("nan")}, "write rate=0.001"),
    ({"seed": 0.5}, "write seed=0"),
    ({"y": torch.tensor([0])}, "give them in pairs"),
    ({"y": torch.tensor([0, 5])}, "pass a classifier, and classes from 0"),
    ({"y": [0, 1]}, "write y = torch.as_tensor(y).long()"),
    ({"x": torch.ones(0, 2), "y": torch.tensor([]).long()}, "pass samples as x"),
    ({"x": torch.ones(2, 3)}, "give x as the model takes it, on its device"),
    ({"model": copy.deepcopy(LAYER).requires_grad_(False)}, "write model.requires_grad_(True)"),
    ({"model": None}, "give the model itself"),
]


@pytest.mark.parametrize(("changed", "todo"), WRONG)
def test_what_is_wrong_is_said_and_the_model_stays_as_it_was(changed, todo):
    model = nn.Sequential(LAYER, nn.BatchNorm1d(2))
    before = copy.deepcopy(model.state_dict())
    usual = {"model": model, "x": torch.ones(2, 2), "y": torch.tensor([0, 1]), "epochs": 1}
    with pytest.raises(InputError) as caught:
        finetune(**{**usual, **changed})
    assert caught.value.todo == todo
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_batch_has_one_sample_of_which_batch_norm_makes_nothing():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    finetune(model, torch.randn(65, 3), torch.arange(65) % 2, epochs=1)
    assert model[1].num_batches_tracked == 2
