"""What arrays are: rows, pictures, series, texts, by shape and type."""

import numpy as np
import pytest

from relprop.data.sources.array_meaning import ArrayPart, raw_of_arrays
from relprop.errors import InputError

RNG = np.random.default_rng(0)
LABELS = np.arange(10) % 2
BYTES = RNG.integers(0, 256, (10, 9, 12)).astype(np.uint8)


def read(samples, modality=None, labels=LABELS):
    return raw_of_arrays([ArrayPart("", samples, labels)], modality, "a.npz")


def test_rows_are_a_table_with_the_labels_as_its_target():
    raw = read(RNG.normal(size=(10, 4)).astype(np.float32))
    assert raw.keys[:2] == ["sample 0", "sample 1"]
    assert (raw.modality, raw.labels, raw.targets) == ("table", None, ("target",))
    assert list(raw.samples.columns) == [*(f"column {i}" for i in range(1, 5)), "target"]


PICTURES = {
    "bytes": (BYTES, BYTES[..., None]),
    "bytes with channels last": (BYTES[..., None].repeat(3, 3), BYTES[..., None].repeat(3, 3)),
    "bytes with channels first": (BYTES[:, None].repeat(3, 1), BYTES[..., None].repeat(3, 3)),
    "whole numbers": (BYTES.astype(np.int64), BYTES[..., None]),
    "floats from 0 to 1": ((BYTES / 255).astype(np.float32)[:, None], BYTES[..., None]),
    "floats from -1 to 1": ((BYTES / 127.5 - 1).astype(np.float32)[:, None], BYTES[..., None]),
    "floats from 0 to 255": (BYTES.astype(np.float32)[:, None], BYTES[..., None]),
    "transparent": (np.concatenate([BYTES[..., None]] * 4, 3), BYTES[..., None].repeat(3, 3)),
}


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_become_bytes_with_channels_last(case):
    given, expected = PICTURES[case]
    raw = read(given)
    assert (raw.modality, raw.samples.dtype) == ("picture", np.uint8)
    np.testing.assert_array_equal(raw.samples, expected)


SERIES = {
    "channels, time": (RNG.normal(size=(10, 2, 30)), False),
    "time, channels": (RNG.normal(size=(10, 30, 2)), True),
}


@pytest.mark.parametrize("case", SERIES)
def test_series_have_time_on_their_longer_side(case):
    given, swapped = SERIES[case]
    raw = read(given)
    assert raw.modality == "series"
    assert raw.samples.dtype == object
    expected = given.swapaxes(1, 2) if swapped else given
    np.testing.assert_array_equal(np.stack(list(raw.samples)), expected.astype(np.float32))


def test_the_user_says_that_rows_are_series_or_pictures():
    rows = RNG.normal(size=(10, 30))
    series = read(rows, "series")
    assert series.samples[3].shape == (1, 30)
    np.testing.assert_array_equal(series.samples[3][0], rows[3].astype(np.float32))
    pixels = BYTES[:, :, :9].reshape(10, 81)
    np.testing.assert_array_equal(read(pixels, "picture").samples[..., 0], BYTES[:, :, :9])


def test_series_of_several_lengths_and_texts():
    ragged = read([np.ones((2, 5)), *[np.zeros((2, 7))] * 9])
    assert [one.shape for one in ragged.samples[:2]] == [(2, 5), (2, 7)]
    assert ragged.findings[1].value == "10, 2 channels, 5 to 7 steps"
    texts = read(np.array(["so good", "so bad"] * 5))
    assert (texts.modality, texts.samples[1], type(texts.samples[1])) == ("text", "so bad", str)


def test_labels_in_one_column_one_hot_or_several():
    rows = RNG.normal(size=(10, 4))
    assert read(rows, labels=LABELS[:, None]).samples["target"].tolist() == LABELS.tolist()
    assert read(rows, labels=np.eye(2)[LABELS]).samples["target"].tolist() == LABELS.tolist()
    several = np.stack([LABELS, 1 - LABELS, np.ones(10)], axis=1)
    raw = read(rows, labels=several)
    assert raw.targets == ("label 0", "label 1", "label 2")
    assert raw.samples["label 1"].tolist() == (1 - LABELS).tolist()


WRONG = {
    "five dimensions": (np.zeros((10, 1, 2, 3, 4)), None, r"shape \(10, 1, 2, 3, 4\)"),
    "two channels": (np.zeros((10, 2, 8, 8)), None, "1, 3 or 4 channels"),
    "no pixels": (RNG.normal(size=(10, 9, 9, 3)), None, "pictures with values from -"),
    "complex": (np.zeros((10, 3), complex), None, "type complex128"),
    "no square": (np.zeros((10, 30)), "picture", r"pictures of the shape \(10, 30\)"),
    "fewer labels": (np.zeros((11, 3)), None, "11 samples and 10 labels"),
    "channels that differ": ([np.zeros((1, 5))] * 5 + [np.zeros((2, 5))] * 5, None, "2 different"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_arrays_are_errors(case):
    samples, modality, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        read(samples, modality)


@pytest.mark.parametrize("place", [0, 2])
def test_a_missing_text_is_empty_and_counted(place):
    texts = ["a good film", "a bad film", "so so"]
    texts[place] = None
    raw = raw_of_arrays([ArrayPart("", texts, np.arange(3) % 2)], None, "data")
    assert raw.samples.tolist() == [text or "" for text in texts]
    assert raw.warnings == ("1 text without a word: empty.",)


def test_a_series_without_a_step_is_an_error():
    series = [np.ones((2, 3)), np.ones((2, 0))]
    with pytest.raises(InputError, match="series 1 in data has no step"):
        raw_of_arrays([ArrayPart("", series, np.arange(2))], None, "data")


@pytest.mark.parametrize("lengths", [(4, 4), (4, 5)])
def test_gaps_of_series_are_filled_on_the_line_and_counted(lengths):
    series = [np.arange(2.0 * n).reshape(2, n) for n in lengths]
    whole = [one.tolist() for one in series]
    series[0][1, 2] = np.nan
    samples = np.stack(series) if lengths[0] == lengths[1] else series
    raw = raw_of_arrays([ArrayPart("", samples, np.arange(2))], "series", "data")
    assert [one.tolist() for one in raw.samples] == whole
    assert raw.warnings[0].endswith("between their neighbours: 1 missing value of series.")
