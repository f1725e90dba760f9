"""Data in memory: frames, pairs, datasets of torch and of `datasets`."""

import datasets
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
import torch
from torch.utils.data import Dataset, TensorDataset

from relprop.data import DataOptions
from relprop.data.memory import Limit
from relprop.data.read import read_dataset
from relprop.data.sources.from_memory import describe_memory, read_memory
from relprop.errors import InputError

LIMIT = Limit(10**9, 0, True)
ROWS = np.random.default_rng(0).normal(size=(10, 3))
LABELS = np.arange(10) % 2


def read(data, **options):
    return read_memory(data, DataOptions(**options), LIMIT)


@pytest.mark.parametrize("library", [pandas, polars])
def test_a_frame_and_its_test_part(library):
    frame = library.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    test = library.DataFrame({"b": ["z"], "a": [3]})
    raw = read(frame, test=test)
    assert raw.samples["a"].tolist() == [1, 2, 3]
    assert raw.samples["b"].tolist() == ["x", "y", "z"]
    assert raw.official.tolist() == ["train", "train", "test"]
    assert read(frame).official.tolist() == ["", ""]


def test_types_of_arrow_and_names_that_occur_twice():
    frame = pandas.DataFrame([[1, 2.5, "x", True], [None, 3.5, None, None]], columns=list("aabc"))
    made = read(frame.convert_dtypes(dtype_backend="pyarrow")).samples
    assert list(made.columns) == ["a", "a (2)", "b", "c"]
    assert made["a"].isna().tolist() == [False, True]
    assert made["a (2)"].tolist() == [2.5, 3.5]
    assert made["b"].iloc[0] == "x"
    assert made["c"].dtype == "boolean"
    assert not any(hasattr(one, "pyarrow_dtype") for one in made.dtypes)


def test_a_frame_is_described_and_keeps_its_index():
    frame = pandas.DataFrame({"a": [1, 2]}, index=["p", "q"])
    assert describe_memory(frame) == "DataFrame in memory, 2 rows"
    assert read(frame).keys == ["row p", "row q"]


class Pairs(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        if i >= 10:
            raise IndexError
        return torch.tensor(ROWS[i]), int(LABELS[i])


PAIRS = {
    "arrays": (ROWS, LABELS),
    "tensors": (torch.tensor(ROWS), torch.tensor(LABELS)),
    "a frame and a column": (pandas.DataFrame(ROWS), pandas.Series(LABELS)),
    "tensors of 16 bits": (torch.tensor(ROWS).bfloat16(), torch.tensor(LABELS)),
    "lists": (ROWS.tolist(), LABELS.tolist()),
    "a TensorDataset": TensorDataset(torch.tensor(ROWS), torch.tensor(LABELS)),
    "a dataset of torch": Pairs(),
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs_of_samples_and_labels(case):
    raw = read(PAIRS[case])
    tolerance = 0.01 if case == "tensors of 16 bits" else 0
    np.testing.assert_allclose(raw.samples.iloc[:, :3].to_numpy(), ROWS, rtol=tolerance)
    assert raw.samples["target"].tolist() == LABELS.tolist()


def test_pairs_with_a_test_part():
    raw = read((ROWS[:7], LABELS[:7]), test=(ROWS[7:], LABELS[7:]))
    np.testing.assert_array_equal(raw.samples.iloc[:, :3].to_numpy(), ROWS)
    assert raw.official.tolist() == ["train"] * 7 + ["test"] * 3


def test_texts_and_series_of_several_lengths():
    texts = read((["so good", "so bad"], ["pos", "neg"]))
    assert (texts.modality, texts.samples.tolist()) == ("text", ["so good", "so bad"])
    assert texts.labels.tolist() == ["pos", "neg"]
    series = read(([[1.0, 2.0], [3.0, 4.0, 5.0]], [0, 1]))
    assert [one.tolist() for one in series.samples] == [[[1, 2]], [[3, 4, 5]]]


def test_a_data_set_of_the_library_datasets():
    data = datasets.Dataset.from_dict({"a": [1, 2], "b": ["x", "y"]})
    assert read(data).samples["b"].tolist() == ["x", "y"]
    both = datasets.DatasetDict(train=data, test=data)
    assert read(both).official.tolist() == ["train", "train", "test", "test"]


WRONG = {
    "a number": (5, {}, "data of type int"),
    "a mapping": ({"a": 1}, {}, "data of type dict"),
    "no samples": ((np.zeros((0, 3)), np.zeros(0)), {}, "the data has no samples"),
    "an array alone": (ROWS, {}, "whose items are of type ndarray"),
    "an empty frame": (pandas.DataFrame({"a": []}), {}, "a DataFrame without rows"),
    "another test part": (pandas.DataFrame({"a": [1]}), {"test": ROWS}, "type ndarray beside a"),
    "a test part with other columns": (
        pandas.DataFrame({"age": [1]}),
        {"test": pandas.DataFrame({"agee": [1]})},
        "has no column 'age'\n.*agee\n.*write \"agee\"",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_data_is_an_error(case):
    data, options, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        read(data, **options)


def test_columns_of_a_test_frame_alone_are_named():
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    raw = read_memory(frame, DataOptions(test=frame.assign(more=7)), LIMIT)
    assert raw.samples.columns.tolist() == ["a", "b"]
    assert raw.warnings == ("The test part has more columns, which are not used: more.",)


PEOPLE = pandas.DataFrame({"age": range(20, 40), "job": ["cook", "clerk"] * 10})
PAY = pandas.Series(["high", "low", "low", "low"] * 5, name="pay")


@pytest.mark.parametrize(
    ("labels", "name"),
    [(PAY, "pay"), (PAY.tolist(), "target"), (PAY.to_frame(), "pay"), (PAY.to_numpy(), "target")],
)
def test_a_frame_with_its_labels_apart_keeps_names_and_kinds(labels, name):
    dataset = read_dataset((PEOPLE, labels), DataOptions(test=(PEOPLE[:5], labels[:5])))
    assert dict(dataset.columns) == {"age": "number", "job": "category"}
    assert dataset.target.names == ("high", "low")
    assert dataset.rows("test").tolist() == [20, 21, 22, 23, 24]
    assert any(one.what == "target" and one.value == name for one in dataset.findings)


def test_labels_of_a_frame_are_in_the_order_of_its_rows():
    with pytest.raises(InputError, match=r"in another order(?s:.*)labels\.loc\[frame\.index\]"):
        read((PEOPLE, PAY[::-1]))
    with pytest.raises(InputError, match="a DataFrame of 20 rows, and 19 labels"):
        read((PEOPLE, PAY[:19]))
    shuffled = PEOPLE.sample(20, random_state=0)
    raw = read((shuffled, PAY.loc[shuffled.index]))
    assert raw.samples["pay"].tolist() == PAY[shuffled.index].tolist()
    assert read((PEOPLE.rename(columns={"job": "pay"}), PAY)).targets == ("pay (2)",)
    several = read((PEOPLE, np.eye(20, 2)))
    assert several.targets == ("target 1", "target 2")


@pytest.mark.parametrize("rows", [PEOPLE.to_numpy(), PEOPLE.to_numpy().tolist()])
def test_rows_with_texts_are_a_table(rows):
    dataset = read_dataset((rows, PAY), DataOptions())
    assert dict(dataset.columns) == {"column 1": "number", "column 2": "category"}


@pytest.mark.parametrize(
    ("data", "todo"),
    [
        ((scipy.sparse.eye_array(10), LABELS), r"write samples\.toarray\(\)"),
        ({"a": [1, 2], "y": [0, 1]}, r"write pandas\.DataFrame\(data\)"),
        ([{"a": 1, "y": 0}] * 3, r"write pandas\.DataFrame\(data\)"),
        (([{"a": 1}] * 10, LABELS), r"write pandas\.DataFrame\(rows\)"),
    ],
)
def test_other_objects_are_refused_with_the_line_to_write(data, todo):
    with pytest.raises(InputError, match=todo):
        read(data)
