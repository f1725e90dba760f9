"""Channels as features: where they are in prepared series, and series without some of them."""

import numpy as np
import pytest

from relprop.data.dataset import Dataset, DataTarget
from relprop.search.prepared import PreparedData
from relprop.use.selection.modalities import features_of
from relprop.use.selection.over_k import OverK, measure_over_k
from relprop.use.selection.rankers import RANKERS

RNG = np.random.default_rng(0)


def series(lengths):
    made = np.empty(len(lengths), object)
    for i, length in enumerate(lengths):
        made[i] = RNG.normal(size=(3, length)).astype(np.float32)
    count = len(lengths)
    return Dataset(
        source="made",
        modality="series",
        samples=made,
        keys=tuple(map(str, range(count))),
        target=DataTarget("classes", ("a", "b"), np.arange(count) % 2),
        parts=np.full(count, "train"),
    )


@pytest.mark.parametrize("lengths", [[5] * 8, [5, 3, 4, 5, 2, 5, 5, 4]], ids=["even", "masked"])
def test_each_step_of_a_channel_is_an_entry_and_the_mask_is_none(lengths):
    data = series(lengths)
    features, prepared = features_of(data), PreparedData(data)
    settings = features.settings(prepared, features.testing_family(), 8)
    preparation = prepared.preparation(np.arange(8), settings)
    entries = features.entries(preparation, prepared.inputs(preparation, np.arange(8)))
    mask = [-1] * 5 if len(set(lengths)) > 1 else []
    assert entries.tolist() == [*[0] * 5, *[1] * 5, *[2] * 5, *mask]
    assert features.names == ("channel 0", "channel 1", "channel 2")


def test_channels_that_are_kept_keep_their_values():
    data = series([5, 3, 4])
    kept = features_of(data).keep(np.array([True, False, True]), np.arange(2)).samples
    for before, after in zip(data.samples, kept, strict=True):
        np.testing.assert_array_equal(after, before[[0, 2]])


@pytest.mark.slow
def test_the_channel_that_decides_is_found(short_training):
    data = series([12] * 60)
    for sample, label in zip(data.samples, data.target.values, strict=True):
        sample[1] += 2 * label
    what = OverK((1,), {"relevance": RANKERS["relevance"]}, outer=2, inner=2, seed=0)
    measured = measure_over_k(data, np.arange(60), what)
    assert measured.stability(1).tolist() == [0, 1, 0]
    assert measured.estimate(1).mean > 0.9
