"""A data set: rows of parts, and samples by number."""

import numpy as np
import pandas

from relprop.data import Dataset, DataTarget
from relprop.data.raw import objects

PARTS = np.array(["test", "train", "validation", "train"])


def dataset(modality, samples):
    target = DataTarget("value", ("y",), np.arange(4.0))
    return Dataset("memory", modality, samples, ("a", "b", "c", "d"), target, PARTS)


def test_rows_of_parts_are_in_order():
    made = dataset("text", objects(list("pqrs")))
    assert made.rows("train").tolist() == [1, 3]
    assert made.rows("validation", "train").tolist() == [1, 2, 3]
    assert made.target.outputs == 1


def test_samples_are_taken_by_number_from_tables_and_arrays():
    rows = np.array([3, 0])
    assert dataset("text", objects(list("pqrs"))).take(rows).tolist() == ["s", "p"]
    frame = pandas.DataFrame({"x": [1, 2, 3, 4]}, index=list("wxyz"))
    assert dataset("table", frame).take(rows)["x"].tolist() == [4, 1]
