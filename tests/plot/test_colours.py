"""Colours of relevance and of pictures, entry by entry."""

from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib.image import imread

from relprop.plot.colours import (
    ink_on,
    input_colours,
    masked_colours,
    overlay_colours,
    png,
    relevance_colours,
)
from relprop.plot.style import MapStyle

R = torch.tensor([[2.0, -1.0], [0.0, 0.5]])


def of(name, value):
    return list(colormaps[name](value, bytes=True))


@pytest.mark.parametrize("name", ["RdBu_r", "seismic"])
def test_zero_is_the_middle_of_the_map_and_the_limit_its_end(name):
    colours = relevance_colours(R, 2.0, MapStyle(cmap=name))
    expected = [[of(name, 1.0), of(name, 0.25)], [of(name, 0.5), of(name, 0.625)]]
    assert colours.tolist() == expected
    assert min(of(name, 0.5)) >= 246  # white


def test_of_one_sign_half_of_the_map_or_the_whole_of_another():
    half = relevance_colours(R, 2.0, MapStyle(sign="positive"))
    assert half[0, 1].tolist() == half[1, 0].tolist() == of("RdBu_r", 0.5)
    whole = relevance_colours(R, 2.0, MapStyle(sign="absolute", cmap="viridis"))
    assert whole[0, 1].tolist() == of("viridis", 0.5)
    assert whole[1, 0].tolist() == of("viridis", 0.0)


def test_a_picture_is_black_and_white_at_its_bounds():
    grey = torch.tensor([[0.0, 1.0], [2.0, 4.0]])
    assert input_colours(grey)[..., 0].tolist() == [[0, 64], [128, 255]]
    assert input_colours(grey, 0, 2)[..., 0].tolist() == [[0, 128], [255, 255]]
    red = torch.zeros(3, 1, 2)
    red[0, 0, 1] = 1
    assert input_colours(red).tolist() == [[[0, 0, 0, 255], [255, 0, 0, 255]]]


def test_an_overlay_is_grey_without_relevance_and_full_colour_at_the_limit():
    picture = input_colours(torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    colours = overlay_colours(picture, torch.tensor([[0.0, 0.0], [2.0, -2.0]]), 2.0, MapStyle())
    assert colours[0].tolist() == [[102, 102, 102, 255], [255, 255, 255, 255]]
    assert colours[1].tolist() == [of("RdBu_r", 1.0), of("RdBu_r", 0.0)]


def test_a_masked_picture_is_itself_at_the_limit_and_grey_without_relevance():
    picture = input_colours(torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    colours = masked_colours(picture, torch.tensor([[0.0, 0.5], [2.0, 2.0]]), 2.0, MapStyle())
    assert colours[..., 0].tolist() == [[128, 192], [0, 255]]


def test_an_image_has_a_square_of_pixels_for_each_entry():
    colours = relevance_colours(R)
    read = imread(BytesIO(png(colours, 3)), "png")
    assert read.shape == (6, 6, 4)
    np.testing.assert_allclose(read[::3, ::3] * 255, colours, atol=0.5)
    np.testing.assert_allclose(read[2::3, 1::3] * 255, colours, atol=0.5)


def test_letters_are_legible_on_every_colour_of_a_map():
    """By the formula of WCAG 2.2, worked out here again."""

    def luminance(colour):
        parts = [part / 255 for part in colour]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for name in ("RdBu_r", "seismic"):
        colours = relevance_colours(torch.linspace(-1, 1, 99)[None], 1.0, MapStyle(cmap=name))[0]
        for colour in colours[:, :3].tolist():
            ground, ink = luminance(colour), {"#000000": 0.0, "#ffffff": 1.0}[ink_on(*colour)]
            high, low = max(ground, ink), min(ground, ink)
            assert (high + 0.05) / (low + 0.05) >= 4.5
