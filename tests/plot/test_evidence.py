"""The strongest evidence of a picture, found by looking at every square."""

import numpy as np
import pytest
import torch
from helpers.networks import signed

from relprop.plot.evidence import Region, outlined, place_name, strongest_regions

RED, BLUE, WHITE = (178, 24, 43), (33, 102, 172), (255, 255, 255)


def test_the_squares_of_the_largest_and_the_smallest_sum():
    relevance = signed(12, 18)
    found = strongest_regions(relevance)
    sums = {
        (top, left): float(relevance[top : top + 2, left : left + 2].sum())
        for top in range(11)
        for left in range(17)
    }
    best = (max(sums, key=sums.get), min(sums, key=sums.get))
    for region, place in zip(found, best, strict=True):
        assert (region.top, region.left, region.side) == (*place, 2)
        assert region.share == pytest.approx(abs(sums[place]) / float(relevance.abs().sum()))
    assert [region.speaks for region in found] == ["for", "against"]


def test_a_region_is_named_by_its_place_and_share():
    relevance = torch.zeros(12, 12)
    relevance[10:, :2] = 1.0
    relevance[0, 6] = 3.0
    relevance[5, 11] = -1.0
    words = [str(region) for region in strongest_regions(relevance)]
    assert words == [
        "strongest for: bottom left, 50% of all |relevance|",
        "strongest against: right, 12% of all |relevance|",
    ]


def test_without_relevance_of_a_sign_there_is_no_region():
    assert strongest_regions(torch.zeros(6, 6)) == []
    assert [r.speaks for r in strongest_regions(-torch.ones(6, 6))] == ["against"]
    hardly = torch.ones(6, 6)
    hardly[0, 0] = -0.004 * 35
    assert [r.speaks for r in strongest_regions(hardly)] == ["for"]
    (alone,) = strongest_regions(torch.ones(1, 1))
    assert (alone.side, alone.share, alone.place) == (1, 1.0, "centre")


@pytest.mark.parametrize(
    ("down", "right", "name"),
    [(0.1, 0.1, "top left"), (0.5, 0.5, "centre"), (0.9, 0.5, "bottom"), (0.4, 1.0, "right")],
)
def test_places_are_named_by_thirds(down, right, name):
    assert place_name(down, right) == name


def test_outlines_are_around_their_regions():
    image = np.full((16, 16, 4), 200, dtype=np.uint8)
    image[4:8, 4:8] = 7
    regions = [
        Region("for", 4, 4, 4, 0.6, "top left"),
        Region("against", 12, 12, 4, 0.4, "bottom right"),
    ]
    drawn = outlined(image, regions, least=60)
    assert drawn.shape == (64, 64, 4)  # by a whole factor
    assert image.max() == 200  # the image itself is as it was
    inside = drawn[16:32, 16:32, :3]
    assert (inside == 7).all()  # not covered
    ring = drawn[14:34, 14:34, :3]
    for line in (ring[:2], ring[-2:], ring[:, :2], ring[:, -2:]):
        assert (line == RED).all()
    assert (drawn[12:14, 12:36, :3] == WHITE).all()
    # At the border there is no room around: the line is on the region, and it is dashed.
    corner = drawn[62:, 46:, :3].reshape(-1, 3)
    shares = [(corner == colour).all(1).mean() for colour in (BLUE, WHITE)]
    assert sum(shares) == 1.0
    assert 0.3 < shares[0] < 0.7
