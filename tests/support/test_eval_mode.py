"""Modes are set for a while, and back where a block raises too; trainers are put aside."""

import pytest
import torch
from torch import nn

from relprop.support.eval_mode import in_eval_mode


class Merging(nn.Linear):
    """A layer whose `train` changes its weights, as layers do that merge an addition into them."""

    def train(self, mode: bool = True):
        raise AssertionError("its weights would change")


def test_modes_come_back_as_they_were_and_train_is_not_called():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval(), nn.Sequential(Merging(2, 2)))
    model[2].training = False
    before = [module.training for module in model.modules()]
    assert before == [True, True, False, False, True]
    with in_eval_mode(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    with pytest.raises(RuntimeError), in_eval_mode(model):
        model[2](torch.ones(1, 3))
    assert [module.training for module in model.modules()] == before


def test_a_trainer_is_put_aside():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0]._trainer = trainer = object()
    with in_eval_mode(model):
        assert model[0]._trainer is None
    assert model[0]._trainer is trainer
    assert not hasattr(model, "_trainer")
