"""Tables whose test and validation part are files beside them, or in folders beside theirs."""

import numpy as np
import pytest

from relprop.data.options import DataOptions
from relprop.data.read import read_dataset

SIZES = {"train": 40, "validation": 12, "test": 11}


def rows(part, seed=0):
    rng = np.random.default_rng([seed, len(part)])
    lines = [f"{rng.normal():.5f},{rng.normal():.5f},{'uv'[i % 2]}" for i in range(SIZES[part])]
    return "\n".join(["a,b,label", *lines]) + "\n"


def write(folder, **names):
    for part, name in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(rows(part))


def sizes(dataset):
    return {part: len(dataset.rows(part)) for part in SIZES}


@pytest.mark.parametrize("word", ["val", "valid", "validation", "dev"])
def test_an_official_validation_part_is_beside_the_table(word, tmp_path):
    write(tmp_path, train="a_train.csv", validation=f"a_{word}.csv", test="a_test.csv")
    for path in (tmp_path, tmp_path / "a_train.csv"):
        dataset = read_dataset(path)
        assert sizes(dataset) == SIZES
        said = {one.what: one for one in dataset.findings if one.value.startswith("a_")}
        assert said["validation part"].value == f"a_{word}.csv, 12 rows"
    other = read_dataset(tmp_path / "a_train.csv", DataOptions(test=tmp_path / f"a_{word}.csv"))
    assert sizes(other)["test"] == 12
    assert len(other.samples) == 52


@pytest.mark.parametrize("name", ["data.csv", "train.csv"])
def test_parts_are_in_folders_of_their_own(name, tmp_path):
    names = {"train": f"train/{name}", "validation": "val/data.csv", "test": "test/data.csv"}
    if name == "train.csv":
        names = {"train": "train/train.csv", "validation": "val/val.csv", "test": "test/test.csv"}
    write(tmp_path, **names)
    (tmp_path / "train" / "subjects.dat").write_text("1\n2\n")
    for path in (tmp_path, tmp_path / "train" / name):
        assert sizes(read_dataset(path)) == SIZES
    assert f"{tmp_path / 'train' / 'subjects.dat'} is not used." in read_dataset(tmp_path).warnings


def test_columns_of_numbers_with_labels_apart_are_no_series(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        np.savetxt(tmp_path / part / f"X_{part}.txt", rng.normal(size=(30, 4)))
        np.savetxt(tmp_path / part / f"y_{part}.txt", np.arange(30) % 3, fmt="%d")
    (tmp_path / "activity_labels.txt").write_text("0 WALKING\n1 SITTING\n2 LYING\n")
    for path in (tmp_path, tmp_path / "train" / "X_train.txt"):
        dataset = read_dataset(path)
        assert dataset.modality == "table"
        assert len(dataset.columns) == 4
        assert dataset.target.names == ("0", "1", "2")
        assert len(dataset.rows("test")) == 30


def test_a_validation_part_of_arrays_is_not_passed_over_in_silence(tmp_path):
    for part in ("train", "val"):
        np.savez(tmp_path / f"{part}.npz", X=np.random.rand(20, 3), y=np.arange(20) % 2)
    warnings = read_dataset(tmp_path / "train.npz").warnings
    assert f"{tmp_path / 'val.npz'} is not used." in warnings
