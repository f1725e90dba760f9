"""Fills of images as they were before normalisation."""

import pytest
import torch
from helpers.fill_values import IMAGES, values
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import FILLS, before_normalisation, removal_curve

MEAN, STD = (0.5, 0.25), (0.2, 0.1)


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_sees_the_picture_as_it_was_before_normalisation(name):
    m, s = (torch.tensor(v).double().reshape(1, 2, 1, 1) for v in (MEAN, STD))
    gone = torch.rand(IMAGES.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    got = values(before_normalisation(name, MEAN, STD), (IMAGES - m) / s, gone)
    torch.testing.assert_close(got * s + m, values(name, IMAGES, gone))


def test_zero_before_normalisation_is_black():
    got = values(before_normalisation("zero", 0.5, 0.25), IMAGES)
    assert (got == -2.0).all()


def test_neighbours_before_normalisation_are_solved_at_every_step():
    assert before_normalisation("neighbours", MEAN, STD).each_step
    assert not before_normalisation("blur", MEAN, STD).each_step


def test_normalisation_is_by_channel():
    model, x = weighted(2, 5, 4)
    with pytest.raises(InputError, match="3 values of mean or std for images with 2 channels"):
        removal_curve(model, x, x, fill=before_normalisation("zero", (0, 0, 0), 1.0), steps=2)
