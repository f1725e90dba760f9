"""Hashes of samples, data and splits: by content, whatever the order."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas
import pytest

from relprop.data.dataset import Dataset, DataTarget
from relprop.data.fingerprint import data_fingerprint, hash_samples, split_fingerprint
from relprop.data.raw import objects

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
SAMPLES = {
    "picture": PIXELS,
    "table": pandas.DataFrame({"a": [1.0, 2.0, np.nan, 1.5], "b": ["x", "y", None, "x"]}),
    "series": objects([np.ones((2, 3), np.float32), *np.zeros((3, 2, 4), np.float32)]),
    "text": objects(["so good", "so bad", "", "so good "]),
}


@pytest.mark.parametrize("modality", SAMPLES)
def test_equal_samples_alone_have_equal_hashes(modality):
    samples = SAMPLES[modality]
    twice = pandas.concat([samples] * 2) if modality == "table" else np.concatenate([samples] * 2)
    found = hash_samples(modality, twice)
    assert (found.dtype, found.shape) == (np.uint64, (8,))
    assert (found[:4] == found[4:]).all()
    assert len(set(found)) == (2 if modality == "series" else 4)


def test_series_of_one_content_and_two_shapes_differ():
    flat, tall = (np.zeros(shape, np.float32) for shape in ((1, 4), (4, 1)))
    first, second = hash_samples("series", objects([flat, tall]))
    assert first != second


def test_hashes_are_the_same_in_every_run():
    digest = hashlib.sha256(b"so good").digest()
    assert hash_samples("text", objects(["so good"])).tolist() == [
        int.from_bytes(digest[:8], "little")
    ]


def dataset(order=(0, 1, 2, 3), **changes):
    order = list(order)
    made = Dataset(
        source="a.csv",
        modality="table",
        samples=SAMPLES["table"].iloc[order].reset_index(drop=True),
        keys=tuple(f"row {i}" for i in range(4)),
        target=DataTarget("classes", ("p", "q"), np.array([0, 1, 0, 1])[order]),
        parts=np.array(["train", "train", "validation", "test"])[order],
        columns={"a": "number", "b": "category"},
    )
    return replace(made, **changes)


def test_fingerprints_do_not_depend_on_order_source_or_keys():
    one, other = dataset(), dataset((2, 0, 3, 1), source="b.csv", keys=("w", "x", "y", "z"))
    assert data_fingerprint(one) == data_fingerprint(other)
    assert split_fingerprint(one) == split_fingerprint(other)
    assert len(data_fingerprint(one)) == 64
    assert data_fingerprint(one) != split_fingerprint(one)


CHANGES = {
    "a value": {"samples": SAMPLES["table"].assign(a=[1.0, 2.0, np.nan, 1.6])},
    "a label": {"target": DataTarget("classes", ("p", "q"), np.array([0, 1, 0, 0]))},
    "names of classes": {"target": DataTarget("classes", ("p", "r"), np.array([0, 1, 0, 1]))},
    "kinds of columns": {"columns": {"a": "number", "b": "date"}},
    "labels exchanged": {"target": DataTarget("classes", ("p", "q"), np.array([1, 0, 0, 1]))},
}


@pytest.mark.parametrize("case", CHANGES)
def test_other_content_has_another_fingerprint(case):
    assert data_fingerprint(dataset(**CHANGES[case])) != data_fingerprint(dataset())


def test_other_parts_change_the_fingerprint_of_the_split_alone():
    other = dataset(parts=np.array(["train", "validation", "train", "test"]))
    assert data_fingerprint(other) == data_fingerprint(dataset())
    assert split_fingerprint(other) != split_fingerprint(dataset())
