"""Superpixels as units, on images that they must follow."""

import sys

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import MissingExtraError
from relprop.evaluate import removal_curve, superpixels


def corners():
    """Two images with a bright square in one corner, which SLIC finds."""
    x = torch.zeros(2, 1, 8, 8)
    x[0, :, 2:, 3:] = 1.0
    x[1, :, :5, :5] = 1.0
    return x


def test_superpixels_follow_what_each_picture_shows():
    """No unit crosses the square's edge, and the images differ in how many they have."""
    x = corners()
    got = superpixels(4)(x)
    assert got.count.tolist() == [2, 4]
    for index, image in zip(got.index, x, strict=True):
        for unit in range(int(index.max()) + 1):
            assert len(image[index == unit].unique()) == 1


def test_a_superpixel_is_removed_as_one():
    """Least relevant first, the blank ones go and change nothing, and the square goes at last."""
    model, _ = weighted(1, 8, 8, samples=2)
    x = corners().double()
    got = removal_curve(
        model, x, x, units=superpixels(4), order="lerf", steps=2, score="logit", target=0
    )
    torch.testing.assert_close(got.scores[:, 1], got.scores[:, 0])
    torch.testing.assert_close(got.scores[:, 2], torch.zeros(2).double())


def test_without_scikit_image_superpixels_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(MissingExtraError) as caught:
        superpixels(4)(corners())
    assert caught.value.todo == 'pip install "relprop[evaluate]"'
