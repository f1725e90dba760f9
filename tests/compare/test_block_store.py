"""The folder of a comparison: other settings, other files and damaged blocks are refused."""

import pytest
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


def test_a_damaged_block_is_named(tmp_path):
    store = open_store(tmp_path / "out", SETTINGS)
    store.write("first", {"target": torch.arange(3)})
    (block,) = (tmp_path / "out" / "blocks").iterdir()
    block.write_bytes(block.read_bytes()[:-5])
    with pytest.raises(FileError, match=block.name) as caught:
        store.read("first")
    assert caught.value.todo == "delete this file and run the same command again"
