"""Pictures to tensors: standardised by the training part, resized, restored, refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from relprop.data.dataset import Dataset, DataTarget
from relprop.errors import InputError
from relprop.prepare.pictures import PicturePreparation, fit_pictures


def dataset(pictures):
    n = len(pictures)
    target = DataTarget("classes", ("a", "b"), np.arange(n) % 2)
    keys = tuple(str(number) for number in range(n))
    return Dataset("made", "picture", pictures, keys, target, np.array(["train"] * n))


def noise(n=30, height=6, width=8, channels=3):
    return np.random.default_rng(0).integers(0, 256, (n, height, width, channels)).astype(np.uint8)


def fitted(pictures=None, rows=None, **settings):
    made = dataset(noise() if pictures is None else pictures)
    return fit_pictures(made, np.arange(len(made.samples)) if rows is None else rows, settings)


def test_training_pictures_have_mean_0_and_deviation_1_in_each_channel():
    prepared = fitted().apply(noise()).double()
    assert (prepared.shape, fitted().shape) == ((30, 3, 6, 8), (3, 6, 8))
    torch.testing.assert_close(prepared.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-6, rtol=0)
    deviation = prepared.std((0, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(3).double(), atol=1e-6, rtol=0)


def test_only_the_training_rows_are_looked_at():
    pictures = noise()
    some = np.array([3, 4, 9])
    assert fitted(pictures, some) == fitted(pictures[some])
    assert fitted(pictures, some) != fitted(pictures)


def test_a_pixel_stays_at_its_place():
    pictures = np.zeros((2, 6, 8, 1), dtype=np.uint8)
    pictures[1, 2, 5, 0] = 255
    prepared = fitted(pictures).apply(pictures)
    assert (prepared == prepared.max()).nonzero().tolist() == [[1, 0, 2, 5]]


def test_a_channel_of_one_value_is_0_and_other_values_stay_small():
    pictures = noise()
    pictures[..., 1] = 7
    preparation = fitted(pictures)
    assert preparation.apply(pictures)[:, 1].abs().max() < 1e-6
    assert preparation.apply(pictures + 51)[:, 1].mean().item() == pytest.approx(0.2)


def test_pictures_of_another_size_are_resized_and_keep_their_mean():
    grey = np.full((1, 12, 24, 3), 100, dtype=np.uint8)
    preparation = fitted()
    small = preparation.apply(np.full((1, 6, 8, 3), 100, dtype=np.uint8))
    torch.testing.assert_close(preparation.apply(grey), small)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((6, 8), 0, (6, 8)), ((6, 8), 4, (3, 4)), ((6, 8), 20, (6, 8)), ((448, 112), 0, (224, 56))],
)
def test_large_pictures_are_made_smaller(size, side, expected):
    preparation = fitted(noise(2, *size, 1), side=side)
    assert preparation.shape == (1, *expected)
    assert preparation.apply(noise(2, *size, 1)).shape == (2, 1, *expected)


@pytest.mark.parametrize(
    ("resize", "means"), [("crop", [100, 100]), ("stretch", [50, 50]), ("pad", [12.5, 0])]
)
def test_pictures_of_another_shape_are_cut_stretched_or_filled(resize, means):
    made = replace(dataset(noise(height=4, width=8)), resize=resize)
    preparation = fit_pictures(made, np.arange(30), {})
    tall = np.zeros((1, 16, 8, 3), dtype=np.uint8)
    tall[:, 6:10] = 100  # the middle: 4 of 16 rows, as much as a crop keeps
    if resize != "crop":
        tall[:, 4:12] = 100
    mean, std = (torch.tensor(v)[:, None, None] * 255 for v in (preparation.mean, preparation.std))
    pixels = preparation.apply(tall) * std + mean
    assert pixels.shape == (1, 3, 4, 8)
    assert pixels.mean().item() == pytest.approx(means[0], abs=1)
    assert pixels[..., 0].mean().item() == pytest.approx(means[1], abs=1)  # at the left side


def test_a_bundle_can_hold_it():
    preparation = fitted()
    state, tensors = preparation.state()
    assert PicturePreparation.restore(json.loads(json.dumps(state)), tensors) == preparation
    assert (tensors, preparation.vocabulary) == ({}, 0)


def test_it_says_what_it_does():
    pictures = np.repeat([[[[0]]], [[[255]]]], 2, axis=1).astype(np.uint8)
    assert fitted(pictures).describe() == (
        "pictures of 2 x 1 pixels and 1 channel, values from 0 to 1, minus 0.500, divided by 0.500"
    )


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (noise(channels=1), r"uint8 of shape \(30, 6, 8, 1\)\n.*\(n, height, width, 3\)"),
        (noise()[0], r"uint8 of shape \(6, 8, 3\)"),
        (noise() / 255, "float64 of shape"),
    ],
)
def test_what_is_no_such_picture_is_refused(pictures, message):
    with pytest.raises(InputError, match=message):
        fitted().apply(pictures)
