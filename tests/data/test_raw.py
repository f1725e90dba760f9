"""Samples as they were read: some of them, more findings, parts by size."""

import numpy as np
import pandas

from relprop.data import Finding
from relprop.data.raw import RawData, objects, parts_of

TEXTS = objects(["p", "q", "r"])


def test_some_samples_keep_what_belongs_to_them():
    for samples in (TEXTS, pandas.DataFrame({"x": ["p", "q", "r"]})):
        official = parts_of(("train", 2), ("test", 1))
        raw = RawData("text", samples, ["a", "b", "c"], np.array([5, 6, 7]), official)
        for rows in (np.array([False, True, True]), np.array([1, 2])):
            kept = raw.keep(rows)
            assert kept.keys == ["b", "c"]
            assert kept.labels.tolist() == [6, 7]
            assert kept.official.tolist() == ["train", "test"]
            assert np.ravel(kept.samples).tolist() == ["q", "r"]


def test_findings_and_warnings_are_added():
    finding = Finding("a", "b", "c")
    raw = RawData("text", TEXTS, ["a"] * 3, None, parts_of(("", 3)), warnings=("one",))
    assert raw.noting(finding, warnings=["two"]).warnings == ("one", "two")
    assert raw.noting(finding).findings == (finding,)


def test_objects_stay_apart_though_they_are_of_one_shape():
    made = objects([np.zeros((2, 3)), np.ones((2, 3))])
    assert made.shape == (2,)
    assert made[1].sum() == 6
