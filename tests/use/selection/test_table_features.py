"""What a table is made of: entries of each column, and the table with some columns alone."""

import numpy as np
import pandas as pd
from helpers.small_fits import numbers

from relprop.data.dataset import Dataset, DataTarget
from relprop.search.prepared import PreparedData
from relprop.use.selection.modalities import features_of

FRAME = pd.DataFrame({"size": np.arange(40.0), "colour": ["red", "blue"] * 20, "same": [1.0] * 40})


def table():
    return Dataset(
        source="made",
        modality="table",
        samples=FRAME,
        keys=tuple(map(str, range(40))),
        target=DataTarget("classes", ("x", "y"), np.arange(40) % 2),
        parts=np.full(40, "train"),
        columns={"size": "number", "colour": "category", "same": "number"},
        signs={"size": "$", "same": "%"},
    )


def test_entries_of_one_hot_columns_are_those_of_their_column():
    features, data = features_of(table()), PreparedData(table())
    settings = features.settings(data, features.testing_family(), 40)
    preparation = data.preparation(np.arange(40), settings)
    x = data.inputs(preparation, np.arange(40))
    names, entries = preparation.columns.names, features.entries(preparation, x)
    assert features.names == ("size", "colour", "same")
    for name, number in zip(names, entries.tolist(), strict=True):
        assert name.split()[0].split("=")[0] == features.names[number]
    assert entries.bincount().tolist() == [1, len(names) - 2, 1]
    assert len(names) > 3


def test_columns_that_are_kept_keep_their_values_and_what_is_known_of_them():
    kept = features_of(table()).keep(np.array([True, True, False]), np.arange(20))
    pd.testing.assert_frame_equal(kept.samples, FRAME[["size", "colour"]])
    assert kept.columns == {"size": "number", "colour": "category"}
    assert kept.signs == {"size": "$"}
    assert kept.target is not None
    assert table().columns.keys() == {"size", "colour", "same"}  # as it was


def test_few_samples_are_trained_on_for_600_steps_without_a_teacher():
    data = numbers(rows=120)
    features = features_of(data)
    settings = features.settings(PreparedData(data), features.testing_family(), 100)
    assert (settings["teacher"], settings["bins"]) == ("none", 0)
    assert settings["epochs"] == 200  # the most: two steps each
    many = features.settings(PreparedData(data), features.testing_family(), 640)
    assert many["epochs"] == 60  # 600 steps of batches of 64
