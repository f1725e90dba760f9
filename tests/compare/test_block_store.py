"""The folder of a comparison: other settings, other files and damaged blocks are refused."""

import pytest
import safetensors.torch
import torch

from relprop.compare.block_store import open_store
from relprop.errors import FileError

SETTINGS = {"seed": 0, "methods": ["zero"]}


def test_a_block_comes_back_from_a_reopened_folder(tmp_path):
    store = open_store(tmp_path / "out", SETTINGS)
    assert not store.has("first")
    store.write("first", {"target": torch.arange(3)})
    reopened = open_store(tmp_path / "out", SETTINGS)
    assert reopened.has("first")
    assert reopened.read("first")["target"].tolist() == [0, 1, 2]


def test_other_settings_are_refused_and_named(tmp_path):
    open_store(tmp_path / "out", SETTINGS)
    with pytest.raises(FileError, match="with seed 0; this one has seed 1") as caught:
        open_store(tmp_path / "out", {**SETTINGS, "seed": 1})
    assert caught.value.todo == "give another folder with --out, or delete this one"


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="is not the folder of a comparison"):
        open_store(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_deep_settings_are_those_of_no_comparison(tmp_path):
    for text in ("[" * 100_000, "9" * 5000, "[]"):
        (tmp_path / "settings.json").write_text(text)
        with pytest.raises(FileError, match="is not the folder of a comparison"):
            open_store(tmp_path, SETTINGS)


# ---- blocks that are not as they were written ----------------------------------------------------


def path_of(folder, name):
    return folder / "out" / "blocks" / f"{name}.safetensors"


@pytest.fixture
def store(tmp_path):
    """A store with two blocks, which differ by their numbers alone."""
    store = open_store(tmp_path / "out", SETTINGS)
    store.write("first", {"target": torch.arange(3), "scores": torch.ones(3, 2)})
    store.write("second", {"target": torch.arange(3), "scores": torch.zeros(3, 2)})
    return store


def refused(store, name):
    assert not store.has(name)
    with pytest.raises(FileError, match=f"{name}.safetensors is missing, damaged, or of another"):
        store.read(name)
    return True


def test_a_block_in_the_place_of_another_is_not_finished(store, tmp_path):
    first, second = (path_of(tmp_path, name) for name in ("first", "second"))
    first.rename(tmp_path / "third")
    second.rename(first)
    (tmp_path / "third").rename(second)
    assert refused(store, "first")
    assert refused(store, "second")
    store.write("first", {"target": torch.arange(2)})
    assert store.read("first")["target"].tolist() == [0, 1]


def test_a_block_of_other_settings_is_not_finished(store, tmp_path):
    other = open_store(tmp_path / "other", {**SETTINGS, "seed": 1})
    (tmp_path / "other" / "blocks" / "first.safetensors").write_bytes(
        path_of(tmp_path, "first").read_bytes()
    )
    assert refused(other, "first")
    same = open_store(tmp_path / "same", dict(reversed(SETTINGS.items())))
    (tmp_path / "same" / "blocks" / "first.safetensors").write_bytes(
        path_of(tmp_path, "first").read_bytes()
    )
    assert same.has("first")


def test_every_byte_of_a_block_counts(store, tmp_path):
    """Changed anywhere, in numbers, names, shapes or label, it does not give other tensors."""
    path = path_of(tmp_path, "first")
    content, expected = path.read_bytes(), store.read("first")
    still = 0
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        if store.has("first"):  # a blank between the names, say
            got = store.read("first")
            assert got.keys() == expected.keys()
            assert all(got[name].equal(tensor) for name, tensor in expected.items())
            still += 1
    assert still < 8


@pytest.mark.parametrize("content", [b"", b"text", bytes(100)])
def test_a_block_that_is_none_is_not_finished(store, tmp_path, content):
    path_of(tmp_path, "first").write_bytes(content)
    assert refused(store, "first")
    assert refused(store, "none")


def test_a_block_without_a_label_is_not_finished(store, tmp_path):
    """As versions without labels wrote them."""
    tensors = store.read("first")
    path_of(tmp_path, "first").write_bytes(safetensors.torch.save(tensors))
    assert refused(store, "first")
