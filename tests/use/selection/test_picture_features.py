"""Pixels as features: where they are in prepared pictures, and what stands for the others."""

import numpy as np
import pytest

from relprop.data.dataset import Dataset, DataTarget
from relprop.search.prepared import PreparedData
from relprop.use.selection.modalities import features_of

RNG = np.random.default_rng(0)


def pictures(height, width, channels, count=6):
    return Dataset(
        source="made",
        modality="picture",
        samples=RNG.integers(0, 256, (count, height, width, channels)).astype(np.uint8),
        keys=tuple(map(str, range(count))),
        target=DataTarget("classes", ("a", "b"), np.arange(count) % 2),
        parts=np.full(count, "train"),
    )


def test_a_pixel_has_an_entry_for_each_channel():
    data = pictures(3, 5, 2)
    features, rows = features_of(data), np.arange(6)
    prepared = PreparedData(data)
    settings = features.settings(prepared, features.testing_family(), 6)
    preparation = prepared.preparation(rows, settings)
    entries = features.entries(preparation, prepared.inputs(preparation, rows))
    assert entries.tolist() == [*range(15), *range(15)]
    assert features.names[:2] == ("row 0 column 0", "row 0 column 1")
    assert features.names[14] == "row 2 column 4"
    assert (settings["shift"], settings["flip"], settings["rotate"]) == (0, False, 0)


def test_other_pixels_are_the_mean_of_the_training_pictures():
    data = pictures(3, 5, 2)
    mask = RNG.random(15) < 0.5
    train = np.array([0, 2, 3])
    kept = features_of(data).keep(mask, train).samples
    for pixel in range(15):
        i, j = divmod(pixel, 5)
        mean = np.round(data.samples[train, i, j].mean(0))
        want = data.samples[:, i, j] if mask[pixel] else np.tile(mean, (6, 1))
        np.testing.assert_array_equal(kept[:, i, j], want)


def test_of_large_pictures_blocks_of_pixels_are_features():
    data = pictures(64, 96, 1, count=2)
    features = features_of(data)
    assert features.grid == (32, 32)
    kept = features.keep(np.arange(1024) == 33, np.arange(2)).samples  # row 1, column 1
    changed = (kept != np.round(data.samples.mean(0)).astype(np.uint8)).any((0, 3))
    assert not changed[:2].any()
    assert not changed[4:].any()
    np.testing.assert_array_equal(kept[:, 2:4, 3:6], data.samples[:, 2:4, 3:6])


@pytest.mark.parametrize("side", [1, 31])
def test_small_pictures_have_a_feature_for_each_pixel(side):
    assert len(features_of(pictures(side, side, 1)).names) == side * side
