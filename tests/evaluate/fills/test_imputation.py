"""Imputation from neighbours against a sparse solver, pixel by pixel."""

import numpy
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from relprop.evaluate import neighbours, removal_curve
from relprop.evaluate.fills.imputation import impute

WEIGHTS = {(i, j): 1 / 6 if 0 in (i, j) else 1 / 12 for i in (-1, 0, 1) for j in (-1, 0, 1)}
del WEIGHTS[0, 0]


def reference(image, gone):
    """One channel, (h, w): an equation for each removed pixel, written down and solved."""
    h, w = image.shape
    pixels = [(i, j) for i in range(h) for j in range(w) if gone[i, j]]
    number = {pixel: row for row, pixel in enumerate(pixels)}
    matrix, right = lil_matrix((len(pixels), len(pixels))), numpy.zeros(len(pixels))
    for (i, j), row in number.items():
        for (di, dj), weight in WEIGHTS.items():
            q = (i + di, j + dj)
            if not (0 <= q[0] < h and 0 <= q[1] < w):
                continue
            matrix[row, row] += weight
            if q in number:
                matrix[row, number[q]] -= weight
            else:
                right[row] += weight * image[q]
    solved = image.copy()
    solved[tuple(zip(*pixels, strict=True))] = spsolve(matrix.tocsr(), right)
    return solved


@pytest.fixture
def images():
    return torch.rand(6, 2, 9, 7, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.98])
def test_all_images_and_channels_are_solved_as_one_at_a_time(images, share):
    """Also where whole regions are gone up to the border; every image has another hole."""
    gone = torch.rand(6, 1, 9, 7, generator=torch.Generator().manual_seed(1)) < share
    gone[0] = True
    gone[0, :, 4, 3] = False  # a single pixel is left: all become what it is
    got = impute(images, gone.expand_as(images), torch.zeros_like(images), tolerance=1e-12)
    for sample in range(6):
        for channel in range(2):
            expected = reference(images[sample, channel].numpy(), gone[sample, 0].numpy())
            difference = numpy.abs(got[sample, channel].numpy() - expected).max()
            assert difference < 1e-9, (sample, channel)


def test_it_is_solved_well_enough_as_it_is_called(images):
    """In float32, with the tolerance that is the default, far below the noise that is added."""
    gone = torch.rand(6, 1, 9, 7, generator=torch.Generator().manual_seed(1)) < 0.9
    fill = neighbours(noise=0.0)
    got = fill.values(images.float(), gone.expand(6, 2, 9, 7), torch.Generator().manual_seed(0))
    expected = reference(images[3, 1].numpy(), gone[3, 0].numpy())
    assert numpy.abs(got[3, 1].numpy() - expected).max() < 1e-4


def test_what_is_left_stays(images):
    gone = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    got = impute(images, gone, torch.zeros_like(images))
    assert got[~gone].equal(images[~gone])
    assert impute(images, gone & False, images * 0).equal(images)


def test_where_nothing_is_left_it_is_the_mean_of_the_channel(images):
    gone, generator = torch.ones_like(images).bool(), torch.Generator().manual_seed(0)
    got = neighbours(noise=0.0).values(images, gone, generator)
    torch.testing.assert_close(got, images.mean((0, 2, 3), keepdim=True).expand_as(images))
    data = torch.full((3, 2, 9, 7), 0.75).double()
    got = neighbours(noise=0.0, data=data).values(images, gone, generator)
    torch.testing.assert_close(got, torch.full_like(images, 0.75))


def test_noise_has_the_deviation_that_was_asked_for(images):
    many = torch.full((300, 1, 20, 20), 0.5).double()  # its own neighbours' mean
    gone = torch.rand(many.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    for noise in (0.01, 0.2):
        got = neighbours(noise).values(many, gone, torch.Generator().manual_seed(0))[gone] - 0.5
        assert float(got.std()) == pytest.approx(noise, rel=0.02)  # 120,000 / 2 draws


def test_the_curve_of_a_flat_image_is_flat(images):
    """Nothing can be told from what is missing where each pixel is as its neighbours."""
    flat = torch.full((2, 1, 6, 6), 0.3)
    got = removal_curve(
        lambda x: x.flatten(1).sum(1, keepdim=True),
        *(flat, torch.rand(2, 1, 6, 6)),
        **{"fill": neighbours(noise=0.0), "steps": 6, "score": "logit"},
    )
    torch.testing.assert_close(got.scores, torch.full((2, 7), 36 * 0.3))
