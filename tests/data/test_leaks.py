"""Columns that give the target away."""

import numpy as np
import pandas
import pytest

from relprop.data.dataset import DataTarget
from relprop.data.leaks import find_leaks

LABELS = np.arange(60) % 3
TARGET = DataTarget("classes", ("a", "b", "c"), LABELS)
NOISE = np.random.default_rng(0).normal(size=60)

COLUMNS = {
    "the same numbers": (LABELS * 1.0, "number", True),
    "other numbers": (np.array([5.0, -1.0, 2.0])[LABELS], "number", True),
    "texts": (np.array(["u", "v", "w"])[LABELS], "category", True),
    "missing for one class": (np.array([np.nan, 1.0, 2.0])[LABELS], "number", True),
    "missing in one row": (np.where(np.arange(60) == 7, np.nan, LABELS), "number", True),
    "missing in many rows": (np.where(np.arange(60) < 9, np.nan, LABELS), "number", False),
    "one row differs": (np.where(np.arange(60) == 7, 2.0, LABELS), "number", False),
    "finer than the classes": (np.arange(60) % 6 * 1.0, "number", False),
    "coarser than the classes": ((LABELS > 0) * 1.0, "number", False),
    "noise": (NOISE, "number", False),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_that_goes_one_to_one_with_the_classes(case):
    values, kind, leaks = COLUMNS[case]
    found = find_leaks(
        pandas.DataFrame({"my x": values, "n": NOISE}), {"my x": kind, "n": "number"}, TARGET
    )
    sentence = (
        "Column 'my x' is one to one with the target: if it is not known when predicting, "
        "write --drop 'my x'."
    )
    assert found == ((sentence,) if leaks else ())


def test_a_column_that_is_one_of_several_labels():
    labels = np.stack([LABELS == 0, LABELS == 1], axis=1).astype(np.float32)
    frame = pandas.DataFrame({"x": LABELS == 1, "y": NOISE}).astype(float)
    found = find_leaks(
        frame, {"x": "number", "y": "number"}, DataTarget("labels", ("p", "q"), labels)
    )
    assert [sentence.split("'")[1] for sentence in found] == ["x"]


def test_a_column_that_is_a_multiple_of_the_value():
    columns = {
        "same": NOISE,
        "scaled": 3 - 2 * NOISE,
        "near": NOISE + 1e-3 * LABELS,
        "c": NOISE * 0,
    }
    gaps = np.where(np.arange(60) < 9, np.nan, NOISE)
    frame = pandas.DataFrame({**columns, "gaps": gaps})
    found = find_leaks(frame, dict.fromkeys(frame, "number"), DataTarget("value", ("y",), NOISE))
    assert [sentence.split("'")[1] for sentence in found] == ["same", "scaled", "gaps"]
