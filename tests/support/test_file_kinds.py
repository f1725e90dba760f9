"""What files are told to be, and the call that reads each."""

import numpy
import pytest
import safetensors.torch
import torch

import relprop
from relprop.errors import FileError
from relprop.support.file_kinds import file_kind


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind, by name."""
    folder = tmp_path_factory.mktemp("files")
    model, x = torch.nn.Linear(4, 3).eval(), torch.ones(2, 4)
    explainer = relprop.Explainer(model, "epsilon")
    explainer(x).save(folder / "e.npz")
    explainer.save(folder / "m.plans")
    safetensors.torch.save_file(model.state_dict(), folder / "w.safetensors")
    torch.save(model.state_dict(), folder / "w.pt")
    numpy.save(folder / "a.npy", numpy.ones(3))
    numpy.savez(folder / "a.npz", a=numpy.ones(3))
    (folder / "t.txt").write_text("{1: 2}, or äöü\n" * 400, encoding="utf-8")
    (folder / "brace.txt").write_bytes((2).to_bytes(8, "little") + b"{]")
    (folder / "empty.npz").write_bytes(b"")
    (folder / "random.npz").write_bytes(bytes(range(255, 0, -1)))
    cut = (folder / "e.npz").read_bytes()
    (folder / "cut.npz").write_bytes(cut[: len(cut) // 2])
    return folder


KINDS = {
    "e.npz": ("an explanation", 'relprop.Explanation.load("{}")'),
    "m.plans": ("a file of plans", 'relprop.Explainer.load("{}", model)'),
    "w.safetensors": ("a file of weights", 'relprop.load_model("{}")'),
    "w.pt": ("a file of torch.save", 'torch.load("{}", weights_only=True)'),
    "a.npy": ("a single array of numpy", 'numpy.load("{}")'),
    "a.npz": ("an archive of something else", ""),
    "t.txt": ("text", ""),
    "brace.txt": ("of an unknown format", ""),
    "empty.npz": ("empty", ""),
    "random.npz": ("of an unknown format", ""),
    "cut.npz": ("of an unknown format", ""),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(files, name):
    what, reader = KINDS[name]
    assert file_kind(files / name) == (what, reader.format(files / name))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "e.npz"])
def test_an_explanation_is_not_read_from_another_file(files, name):
    with pytest.raises(FileError, match="is no file of an explanation") as error:
        relprop.Explanation.load(files / name)
    assert "pickle" not in str(error.value)
    reader = KINDS[name][1].format(files / name)
    if reader and name not in ("w.pt", "w.safetensors"):
        model = torch.nn.Linear(4, 3).eval()
        line = error.value.todo.removeprefix("write ")
        assert line == reader
        assert eval(line, {"relprop": relprop, "numpy": numpy, "model": model}) is not None


@pytest.mark.parametrize("name", [name for name in KINDS if name != "m.plans"])
def test_plans_are_not_read_from_another_file(files, name):
    with pytest.raises(FileError, match="is no file of plans") as error:
        relprop.Explainer.load(files / name, torch.nn.Linear(4, 3).eval())
    if name == "e.npz":
        assert eval(error.value.todo.removeprefix("write ")).relevance.shape == (2, 4)


@pytest.mark.parametrize("name", ["e.npz", "m.plans"])
def test_a_model_is_not_read_from_another_file(files, name):
    with pytest.raises(FileError, match="is no model, but") as error:
        relprop.load_model(files / name)
    assert error.value.todo == "write " + KINDS[name][1].format(files / name)
