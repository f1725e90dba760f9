"""Class and part of a file, from the folders above it."""

from pathlib import PurePosixPath

import pytest

from relprop.data.sources.folders import classes_and_parts, files_below, is_hidden
from relprop.errors import FileError

PATHS = {
    "classes alone": (["a/1", "b/1"], ["a", "b"], ["", ""]),
    "parts above": (["train/a/1", "test/a/2"], ["a", "a"], ["train", "test"]),
    "parts below": (["a/Train/1", "a/test/2"], ["a", "a"], ["train", "test"]),
    "all kinds": (
        ["training/a/1", "valid/a/2", "testing/b/3"],
        ["a", "a", "b"],
        ["train", "validation", "test"],
    ),
    "one part alone is no part": (["train/a/1", "train/b/2"], ["a", "b"], ["", ""]),
    "a test part beside the rest": (["a/1", "test/a/2"], ["a", "a"], ["train", "test"]),
    "the nearest folder is the class": (["x/a/1", "x/b/2"], ["a", "b"], ["", ""]),
}


@pytest.mark.parametrize("case", PATHS)
def test_classes_and_parts(case):
    paths, classes, parts = PATHS[case]
    found = classes_and_parts([PurePosixPath(path) for path in paths], "data")
    assert (found.classes, found.parts.tolist()) == (classes, parts)
    assert found.rows.tolist() == list(range(len(paths)))
    assert found.warnings == []


INCOMPLETE = {
    "classes hold images/, of which the test part has no class": (
        ["train/a/images/1", "train/b/images/2", "val/images/3", "test/images/4", "test/images/5"],
        {"annotated": {PurePosixPath("val/images/3"): "b"}},
        ([0, 1, 2], ["a", "b", "b"], ["train", "train", "validation"]),
        "2 files in test/images/",
    ),
    "without labels": (
        ["train/a/1", "train/b/2", "train/unsup/3", "test/a/4"],
        {},
        ([0, 1, 3], ["a", "b", "a"], ["train", "train", "test"]),
        "1 file in train/unsup/",
    ),
    "about the data": (
        ["about", "train/a/1", "train/a/2", "train/b/1", "train/b/2", "train/list"],
        {"loose": True},
        ([1, 2, 3, 4], ["a", "a", "b", "b"], [""] * 4),
        "1 file in ./, 1 file in train/",
    ),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_files_without_a_class_are_left_out_and_said(case):
    paths, options, (rows, classes, parts), said = INCOMPLETE[case]
    paths = [PurePosixPath(path) for path in paths]
    found = classes_and_parts(paths, "data", **options)
    assert (found.rows.tolist(), found.classes, found.parts.tolist()) == (rows, classes, parts)
    assert found.warnings == [f"Left out, as without a class: {said}."]


def test_a_file_without_a_class_is_an_error():
    paths = [PurePosixPath("a/1.png"), PurePosixPath("train/2.png")]
    with pytest.raises(FileError, match=r"such as train/unsup/1\.txt\n"):
        classes_and_parts([PurePosixPath("train/unsup/1.txt")], "data")
    with pytest.raises(FileError, match=r"such as train/2\.png\n.*a folder for each class"):
        classes_and_parts(paths, "data")


def test_hidden_files_and_those_in_hidden_folders_are_left_out(tmp_path):
    for name in ("cat/1.png", "cat/._1.png", ".ipynb_checkpoints/1.png", "__MACOSX/cat/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path) == [tmp_path / "cat/1.png"]
    assert [is_hidden(PurePosixPath(name)) for name in ("a/.b/c.txt", "a/b.c.txt")] == [True, False]
