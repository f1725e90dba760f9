"""Series of many lengths become one tensor, by what the training part was like."""

import json

import numpy as np
import pytest
import torch

from relprop.errors import InputError
from relprop.prepare.series import SeriesPreparation, fit_series


def series(*rows):
    found = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        found[place] = np.array(row, dtype=np.float32)
    return found


EQUAL = series([[1, 3], [10, 10]], [[5, 7], [10, 10]])
RAGGED = series([[1, 3, 5]], [[7]])


def test_channels_are_standardised_by_the_training_part():
    preparation = fit_series(EQUAL)
    values = np.array([1, 3, 5, 7])
    expected = (values - values.mean()) / values.std()
    got = preparation.apply(EQUAL)
    assert preparation.shape == (2, 2)
    assert not preparation.masked
    np.testing.assert_allclose(got[:, 0].flatten(), expected, rtol=1e-6)
    assert torch.equal(got[:, 1], torch.zeros(2, 2))  # a constant channel is not divided by 0


def test_an_unseen_series_is_measured_by_the_training_part():
    got = fit_series(EQUAL).apply(series([[4, 4 + 5**0.5], [11, 9]]))
    np.testing.assert_allclose(got[0], [[0, 1], [1, -1]], atol=1e-6)


def test_each_series_can_be_standardised_by_itself():
    got = fit_series(EQUAL, "series").apply(series([[0, 4], [1, 1]], [[100, 102], [1, 3]]))
    np.testing.assert_allclose(got, [[[-1, 1], [0, 0]], [[-1, 1], [-1, 1]]], atol=1e-5)


def test_series_of_other_lengths_are_padded_and_a_last_channel_says_where_they_are():
    preparation = fit_series(RAGGED)
    got = preparation.apply(RAGGED)
    assert preparation.masked
    assert preparation.shape == tuple(got.shape[1:]) == (2, 3)
    assert torch.equal(got[:, 1], torch.tensor([[1.0, 1, 1], [1, 0, 0]]))
    values = np.array([1, 3, 5, 7])
    expected = (values - values.mean()) / values.std()
    np.testing.assert_allclose(got[0, 0], expected[:3], rtol=1e-6)
    np.testing.assert_allclose(got[1, 0], [expected[3], 0, 0], rtol=1e-6)


def test_padding_takes_no_part_in_the_mean_of_a_series():
    got = fit_series(RAGGED, "series").apply(series([[5, 7]]))
    np.testing.assert_allclose(got[0], [[-1, 1, 0], [1, 1, 0]], atol=1e-5)


def test_a_longer_series_is_cut_and_a_shorter_one_filled_which_is_said():
    preparation = fit_series(EQUAL)
    samples = series([[4, 4, 9], [10, 10, 10]], [[4], [10]], [[4, 4], [10, 10]])
    assert torch.equal(preparation.apply(samples), torch.zeros(3, 2, 2))
    assert preparation.remarks(samples) == (
        "1 of 3 series are longer than 2 steps, and cut at the end",
        "1 of 3 series are shorter than 2 steps, and filled with the mean",
    )
    assert preparation.remarks(EQUAL) == ()


def test_a_shorter_series_is_nothing_to_say_where_there_is_a_mask():
    assert fit_series(RAGGED).remarks(RAGGED) == ()


def test_missing_values_become_the_mean_and_count_for_nothing():
    samples = series([[1, np.nan, 3]], [[np.nan, 3, 1]])
    preparation = fit_series(samples)
    assert torch.equal(preparation.apply(samples), torch.tensor([[[-1.0, 0, 1]], [[0, 1, -1]]]))
    assert preparation.remarks(samples) == (
        "2 of 2 series have missing values, which became the mean",
    )


@pytest.mark.parametrize("samples", [EQUAL, RAGGED])
@pytest.mark.parametrize("standardise", ["channel", "series"])
def test_it_is_the_same_after_a_round_through_json(samples, standardise):
    preparation = fit_series(samples, standardise)
    plain, tensors = preparation.state()
    again = SeriesPreparation.restore(json.loads(json.dumps(plain)), tensors)
    assert torch.equal(again.apply(samples), preparation.apply(samples))
    assert (again.shape, again.masked) == (preparation.shape, preparation.masked)
    assert again.describe() == preparation.describe()


def test_it_says_what_it_does():
    assert fit_series(RAGGED).describe() == (
        "1 x 3 series, each channel standardised by the training part, padded and with a mask"
    )
    assert fit_series(EQUAL, "series").describe() == (
        "2 x 2 series, each channel of a series standardised by itself"
    )


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (series([[1, 2]]), r"series 0 has shape \(1, 2\)"),
        (series([[1, 2], [1, 2]], [1, 2]), r"series 1 has shape \(2,\)"),
        (series([[], []]), r"series 0 has shape \(2, 0\)"),
    ],
)
def test_a_series_of_another_shape_is_refused(wrong, match):
    with pytest.raises(InputError, match=match):
        fit_series(EQUAL).apply(wrong)


def test_bad_fits_are_refused():
    with pytest.raises(InputError, match='write "channel"'):
        fit_series(EQUAL, "chanel")
    with pytest.raises(InputError, match="no series to train on"):
        fit_series(series())
    with pytest.raises(InputError, match=r"series 1 has shape \(1, 2\)"):
        fit_series(series([[1, 2], [1, 2]], [[1, 2]]))
