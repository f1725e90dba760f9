"""Copies of models: what they share with the model, and what they do not."""

import threading
import warnings

import pytest
import torch
from torch import nn

from relprop.capture.isolated_copy import isolated_copy
from relprop.errors import CaptureError


def place(tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def test_parameters_are_shared_and_what_forward_may_write_is_not():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model.notes = torch.zeros(2)
    copy = isolated_copy(model)
    for name, parameter in model.named_parameters():
        assert place(copy.get_parameter(name)) == place(parameter), name
    for name, buffer in model.named_buffers():
        assert place(copy.get_buffer(name)) != place(buffer), name
        assert copy.get_buffer(name).equal(buffer)
    assert place(copy.notes) != place(model.notes)


def test_an_embedding_that_scales_its_rows_has_rows_of_its_own():
    model = nn.Embedding(5, 3, max_norm=0.1)
    before = model.weight.detach().clone()
    copy = isolated_copy(model)
    copy(torch.tensor([1, 2]))
    assert not copy.weight.equal(before)
    assert model.weight.equal(before)


def test_a_parameter_that_modules_share_becomes_one_for_each_in_the_same_memory():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    copy = isolated_copy(model)
    assert copy[0].weight is not copy[1].weight
    assert place(copy[0].weight) == place(copy[1].weight) == place(model[0].weight)
    assert model[1].weight is model[0].weight


def test_a_model_that_cannot_be_copied_is_refused():
    model = nn.Linear(3, 3)
    model.lock = threading.Lock()
    with pytest.raises(CaptureError, match=r"Linear cannot be copied: .*lock(.|\n)*take locks"):
        isolated_copy(model)


def test_a_copy_of_an_exported_program_warns_of_nothing():
    model, x = nn.Sequential(nn.Linear(4, 3)).eval(), torch.ones(2, 4)
    program = torch.export.export(model, (x,)).module()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        copied = isolated_copy(program)
    assert [str(one.message) for one in caught] == []
    assert torch.equal(copied(x), model(x))
