"""A column that names the parts of a table: taken as the official split, or as the user says."""

import numpy as np
import pandas
import pytest

from relprop.data.options import DataOptions
from relprop.data.read import read_dataset

N = 60
PARTS = np.array(["train", "train", "test"])[np.arange(N) % 3]
FRAME = pandas.DataFrame(
    {
        "a": np.arange(N) % 7,
        "b": np.arange(N) % 5,
        "kind": np.array(["x", "y"])[np.arange(N) % 2],
    }
)


def read(column, name="split", **options):
    return read_dataset(FRAME.assign(**{name: column}), DataOptions(target="kind", **options))


@pytest.mark.parametrize("name", ["split", "Partition", "set", "SUBSET"])
def test_a_column_of_parts_is_the_official_split(name):
    dataset = read(PARTS, name)
    assert np.flatnonzero(dataset.parts == "test").tolist() == list(range(2, N, 3))
    assert list(dataset.columns) == ["a", "b"]
    said = [(f.value, f.reason) for f in dataset.findings if f.what == f"column {name}"]
    assert said == [("official parts, no feature", "its name, and its values test, train")]
    (test,) = [f.reason for f in dataset.findings if f.what == "test part"]
    assert test == "official; read once, at the end"


def test_all_words_of_parts_are_known_and_it_is_not_the_target():
    words = np.array(["Training", "dev", " testing"])[np.arange(N) % 3]
    dataset = read_dataset(FRAME.assign(split=words))  # the last column
    assert dataset.parts.tolist() == ["train", "validation", "test"] * (N // 3)
    assert dataset.target.names == ("x", "y")


@pytest.mark.parametrize(
    ("options", "columns"),
    [({"drop": ("split",)}, ["a", "b"]), ({"kinds": {"split": "category"}}, ["a", "b", "split"])],
)
def test_the_user_may_take_it_for_something_else(options, columns):
    dataset = read(PARTS, **options)
    assert list(dataset.columns) == columns
    (test,) = [f.reason for f in dataset.findings if f.what == "test part"]
    assert test.startswith("15%, at random")


def test_the_user_may_predict_it():
    dataset = read_dataset(FRAME.assign(split=PARTS), DataOptions(target="split"))
    assert dataset.target.names == ("test", "train")
    assert set(dataset.target.values[dataset.parts == "test"]) == {0, 1}


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (PARTS, "wheel"),
        (np.where(np.arange(N) == 7, "hall", PARTS), "set"),
        (np.where(np.arange(N) == 7, None, PARTS), "split"),
        (np.where(PARTS == "train", "dev", PARTS), "split"),  # nothing to train on
    ],
)
def test_any_other_column_is_a_feature(column, name):
    assert name in read(column, name).columns


def test_beside_an_official_test_part_it_must_name_the_same_rows():
    train, test = FRAME.assign(split="train"), FRAME.assign(split="test")
    train.loc[:9, "split"] = "val"
    options = DataOptions(target="kind", test=test)
    dataset = read_dataset(train, options)
    assert dataset.parts.tolist() == ["validation"] * 10 + ["train"] * (N - 10) + ["test"] * N
    train.loc[:9, "split"] = "test"
    assert "split" in read_dataset(train, options).columns


def test_rows_without_a_group_are_counted():
    group = np.where(np.arange(N) % 7 == 0, None, np.arange(N).astype(str))
    dataset = read_dataset(FRAME.assign(who=group), DataOptions(target="kind", group="who"))
    alone = (N + 6) // 7
    assert f"{alone} rows without a group: each is one of its own." in dataset.warnings
