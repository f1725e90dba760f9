"""The strongest evidence of a picture: where most relevance is for, and where most is against.

Takes relevance of one picture. Gives regions with words, and images with these outlined. Must not
know explanations or pages.

    h, w  height and width of a picture      k  side of a region
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from .colours import Colours

LEAST_SHARE = 0.005  # of the relevance, below which a region is no evidence
SIDES = 6  # regions that fit into the shorter side of a picture
_FOR, _AGAINST, _HALO = (178, 24, 43), (33, 102, 172), (255, 255, 255)
_DASH = 4  # widths of the line


@dataclass(frozen=True)
class Region:
    """A square of a picture.

    Attributes:
        speaks: Whether its relevance is for what is explained, or against it.
        top, left, side: Its place, in pixels.
        share: Its size as a share of the sum of |relevance| over the picture, at most 1.
        place: Where it is, such as "top left".
    """

    speaks: Literal["for", "against"]
    top: int
    left: int
    side: int
    share: float
    place: str

    def __str__(self) -> str:
        return f"strongest {self.speaks}: {self.place}, {self.share:.0%} of all |relevance|"


def strongest_regions(relevance: Tensor) -> list[Region]:
    """Find the squares whose relevance sums to the most, and to the least.

    Squares are a sixth of the shorter side wide, and lie anywhere in the picture.

    Args:
        relevance: (h, w).

    Returns:
        The square that speaks for, then the one against; without those whose sum has another sign,
        or is less than half a percent of the relevance.
    """
    values = relevance.detach().cpu().double()
    side = max(1, round(min(values.shape) / SIDES))
    means = F.avg_pool2d(values[None, None], side, stride=1)
    sums = means[0, 0] * side**2  # (h - k + 1, w - k + 1)
    shares = sums / values.abs().sum().clamp(min=1e-300)
    found = []
    if bool(shares.max() >= LEAST_SHARE):
        found.append(_region("for", shares, int(shares.argmax()), side))
    if bool(shares.min() <= -LEAST_SHARE):
        found.append(_region("against", shares, int(shares.argmin()), side))
    return found


def _region(speaks: Literal["for", "against"], shares: Tensor, place: int, side: int) -> Region:
    rows, columns = shares.shape  # places of the upper left corner of a square
    top, left = divmod(place, columns)
    down, right = (top + side / 2) / (rows + side - 1), (left + side / 2) / (columns + side - 1)
    share = abs(float(shares[top, left]))
    return Region(speaks, top, left, side, share, place_name(down, right))


def place_name(down: float, right: float) -> str:
    """Name a place of a picture by thirds.

    Args:
        down: How far from the top, from 0 to 1.
        right: How far from the left.
    """
    row = ("top", "", "bottom")[min(2, int(3 * down))]
    column = ("left", "", "right")[min(2, int(3 * right))]
    return " ".join(filter(None, [row, column])) or "centre"


def outlined(colours: Colours, regions: Sequence[Region], least: int) -> Colours:
    """Outline regions on an image: solid red what speaks for, dashed blue what speaks against.

    Args:
        colours: The image, (h, w, 4).
        regions: Regions of it.
        least: Pixels that the result is wide at least: smaller images are enlarged to squares, so
            that lines do not cover what they surround.
    """
    enlarge = max(1, -(-least // colours.shape[1]))
    image = colours.repeat(enlarge, 0).repeat(enlarge, 1)
    line = max(2, image.shape[1] // 112)
    for region in regions:
        box = [enlarge * one for one in (region.top, region.left, region.side)]
        _outline(image, box, 2 * line, _HALO, dashed=False)
        colour = _FOR if region.speaks == "for" else _AGAINST
        _outline(image, box, line, colour, dashed=region.speaks == "against")
    return image


def _outline(
    image: Colours, box: Sequence[int], out: int, colour: tuple[int, ...], dashed: bool
) -> None:
    """Draw a line around a box, from `out` pixels outside of it inwards; it stays in the image."""
    top, left, side = box
    h, w = image.shape[:2]
    low, high = max(0, top - out), min(h, top + side + out)
    start, end = max(0, left - out), min(w, left + side + out)
    y, x = np.ogrid[:h, :w]
    outer = (y >= low) & (y < high) & (x >= start) & (x < end)
    inner = (y >= low + out) & (y < high - out) & (x >= start + out) & (x < end - out)
    drawn = outer & ~inner
    if dashed:
        drawn &= ((y + x) // (_DASH * out)) % 2 == 0
    image[drawn, :3] = colour
