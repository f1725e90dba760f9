"""Changes of pictures, each against what it means on pictures whose pixels say where they are."""

import pytest
import torch

from relprop.errors import InputError
from relprop.training.augment_pictures import (
    augment_pictures,
    change_colours,
    cut_out,
    mirror_some,
    move,
    transform_affinely,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def places(n=64, height=6, width=8):
    """Pictures whose two channels hold the row and the column of each pixel."""
    rows, columns = torch.meshgrid(
        torch.arange(float(height)), torch.arange(float(width)), indexing="ij"
    )
    return torch.stack([rows, columns]).expand(n, 2, height, width)


def test_about_every_other_picture_is_mirrored_left_to_right():
    pictures = places(1000)
    mirrored = mirror_some(pictures)
    is_same = (mirrored == pictures).flatten(1).all(1)
    is_flipped = (mirrored == pictures.flip(3)).flatten(1).all(1)
    assert (is_same ^ is_flipped).all()
    assert 0.45 < is_flipped.float().mean() < 0.55


def test_pictures_move_by_whole_pixels_each_way_and_borders_are_repeated():
    moved = move(places(500), 2)
    down, right = moved[:, 0, 2, 0] - 2, moved[:, 1, 0, 3] - 3
    assert set(down.tolist()) == set(right.tolist()) == {-2, -1, 0, 1, 2}
    rows = (torch.arange(6.0)[None] + down[:, None]).clamp(0, 5)
    columns = (torch.arange(8.0)[None] + right[:, None]).clamp(0, 7)
    assert torch.equal(moved[:, 0], rows[:, :, None].expand(-1, 6, 8))
    assert torch.equal(moved[:, 1], columns[:, None].expand(-1, 6, 8))


def test_no_amount_leaves_pictures_as_they_are():
    pictures = places()
    still = transform_affinely(pictures, rotate=0, zoom=0, shift=0)
    torch.testing.assert_close(still, pictures, atol=1e-5, rtol=0)


def test_a_rotation_keeps_distances_on_pictures_that_are_not_square():
    """Between neighbours in the middle, rows and columns change as on a turned, square grid."""
    turned = transform_affinely(places(200, 20, 30), rotate=90, zoom=0, shift=0)
    across = turned[:, :, 10, 15] - turned[:, :, 10, 14]  # (n, 2): change of row and column
    torch.testing.assert_close(across.norm(dim=1), torch.ones(200), atol=1e-4, rtol=0)
    angles = torch.atan2(across[:, 0], across[:, 1]).rad2deg()
    assert angles.min() == pytest.approx(-90, abs=3)
    assert angles.max() == pytest.approx(90, abs=3)


def test_a_zoom_changes_distances_by_its_fraction():
    zoomed = transform_affinely(places(500, 20, 20), rotate=0, zoom=0.25, shift=0)
    step = zoomed[:, 1, 10, 10] - zoomed[:, 1, 10, 9]
    assert step.min() == pytest.approx(0.75, abs=0.01)
    assert step.max() == pytest.approx(1.25, abs=0.01)


def test_a_shift_of_parts_of_pixels_is_measured_in_pixels_on_both_sides():
    moved = transform_affinely(places(1000, 20, 30), rotate=0, zoom=0, shift=3)
    change = (moved - places(1000, 20, 30))[:, :, 10, 15]  # (n, 2)
    assert change.amax(0).tolist() == pytest.approx([3, 3], abs=0.03)
    assert change.amin(0).tolist() == pytest.approx([-3, -3], abs=0.03)


def test_brightness_contrast_and_saturation_change_by_their_fraction():
    pictures = torch.randn(1, 3, 5, 4).expand(3000, 3, 5, 4)
    now, before = (_colour_parts(x) for x in (change_colours(pictures, 0.3), pictures))
    bright = now[0] - before[0]
    contrast = now[1] / before[1]
    saturation = now[2] / before[2] / contrast
    for change, mean in ((bright, 0), (contrast, 1), (saturation, 1)):
        assert change.min() == pytest.approx(mean - 0.3, abs=0.01)
        assert change.max() == pytest.approx(mean + 0.3, abs=0.01)
        assert change.mean() == pytest.approx(mean, abs=0.02)


def _colour_parts(pictures):
    """Return brightness, a pixel's distance from it, and of this pixel that of red from gray."""
    gray = pictures.mean(1)  # (n, h, w)
    middle = gray.mean((1, 2))
    red = pictures[:, 0] - gray
    return middle, gray[:, 2, 1] - middle, red[:, 2, 1] - red.mean((1, 2))


def test_a_square_is_cut_out_anywhere():
    cut = cut_out(torch.ones(2000, 2, 9, 7), 4) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    heights, widths = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert torch.equal(cut[:, 0].flatten(1).sum(1), heights * widths)
    assert (int(heights.max()), int(widths.max()), int(heights.min())) == (4, 4, 2)
    assert cut.flatten(1).any(0).all()  # no pixel is spared


def test_settings_that_are_0_or_missing_change_nothing():
    assert augment_pictures({"flip": False, "shift": 0, "width": 64}) is None


def test_all_settings_together_keep_the_shape():
    augment = augment_pictures(
        {"flip": True, "shift": 2, "rotate": 10, "zoom": 0.1, "colour": 0.2, "cutout": 3}
    )
    changed = augment(torch.rand(5, 3, 9, 11) + 1)
    assert changed.shape == (5, 3, 9, 11)
    assert (changed == 0).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"flip": 1}, "flip is 1\n.*True or False"),
        ({"shift": -1}, "shift is -1\n.*whole pixels, 0 or more\n.*shift=0"),
        ({"shift": 0.5}, r"shift is 0\.5\n.*whole pixels"),
        ({"rotate": 181}, "rotate is 181\n.*degrees"),
        ({"zoom": 1.0}, r"zoom is 1\.0\n.*a fraction"),
        ({"colour": -0.1}, r"colour is -0\.1\n.*a fraction"),
        ({"cutout": True}, "cutout is True\n"),
    ],
)
def test_amounts_out_of_range_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        augment_pictures(setting)
