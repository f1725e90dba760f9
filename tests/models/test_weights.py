"""Weights from files: with every key accounted for, and without running code."""

import pytest
import safetensors.torch
import torch
from torch import nn

from relprop.errors import FileError
from relprop.models.weights import load_weights


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


FILES = {
    "w.safetensors": lambda state, path: safetensors.torch.save_file(state, path),
    "w.pt": torch.save,
    "lightning.ckpt": lambda state, path: torch.save(
        {"epoch": 3, "state_dict": {f"model.{k}": v for k, v in state.items()}}, path
    ),
    "parallel.pth": lambda state, path: torch.save(
        {f"module.{k}": v for k, v in state.items()}, path
    ),
    "compiled.pt": lambda state, path: torch.save(
        {f"_orig_mod.{k}": v for k, v in state.items()}, path
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_weights_are_loaded(tmp_path, name):
    trained, model = net(), net()
    FILES[name](trained.state_dict(), tmp_path / name)
    load_weights(model, tmp_path / name)
    for key, value in trained.state_dict().items():
        assert model.state_dict()[key].equal(value)


def test_keys_that_do_not_fit_are_named_and_nothing_is_loaded(tmp_path):
    model = net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = {**net().state_dict(), "2.weight": torch.ones(1), "1.bias": torch.ones(3)}
    del state["0.bias"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(FileError) as error:
        load_weights(model, tmp_path / "w.pt")
    assert error.value.given == (
        f"the weights {tmp_path}/w.pt do not fit Sequential: the model has no 2.weight; "
        "the file has no 0.bias; other shapes: 1.bias (3,) for (2,)"
    )
    assert all(model.state_dict()[key].equal(value) for key, value in before.items())


def test_a_file_of_other_things_is_refused(tmp_path):
    torch.save(net(), tmp_path / "whole.pt")
    torch.save({"accuracy": 0.5}, tmp_path / "numbers.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:100])
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    for name, given in {
        "whole.pt": "holds more than tensors, and could run code: it was not loaded",
        "numbers.pt": "holds a dict with the keys accuracy",
        "cut.pt": "are damaged",
        "bad.safetensors": "are damaged",
        "none.pt": "there is no file",
    }.items():
        with pytest.raises(FileError, match=given):
            load_weights(net(), tmp_path / name)
