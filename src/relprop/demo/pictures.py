"""Pictures of examples with their words: digits, maps, and digits without some of their pixels.

Takes the examples of a demo. Gives pictures and rows of pictures. Must not know HTML or figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from . import formatting
from .examples import Example, Prediction
from .removal import BRIGHTEST, INK, Removal, least

WRONG = "\N{BALLOT X}"  # marks a wrong prediction, which colour alone would not show to everyone

PictureKind = Literal["digit", "map", "most", "brightest", "ink", "least"]
PICTURE_TITLES: dict[PictureKind, str] = {
    "digit": "Digit",
    "map": "Relevance",
    "most": "Most relevant removed",
    "brightest": "Brightest removed",
    "ink": "Random ink removed",
    "least": "Least |relevance| removed",
}


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        kind: What it shows.
        pixels: Grey values, or relevance, (h, w).
        caption: Lines of text below it.
        alt: Description for readers who cannot see it.
        wrong: Whether the prediction is wrong.
        limit: Of a map: |relevance| of the fullest colour; else 0.
        name: What tells it from others of one digit: its order and fill, rule, or network.
    """

    kind: PictureKind
    pixels: Tensor
    caption: tuple[str, ...]
    alt: str
    wrong: bool = False
    limit: float = 0.0
    name: str = ""


def order_of(kind: PictureKind, recipe: str) -> str:
    """Name the order in which the pixels of a picture's kind were removed."""
    return {"most": recipe, "least": least(recipe), "brightest": BRIGHTEST, "ink": INK}[kind]


def pictures_of(
    example: Example, recipe: str, fill: str, greys: Mapping[str, float]
) -> tuple[Picture, ...]:
    """Show a digit, its map by a recipe, and what is left after each removal under a fill."""
    removals = [
        _removed(example, kind, order_of(kind, recipe), fill, greys[fill])
        for kind in ("most", "brightest", "ink", "least")
    ]
    map_ = map_picture(example, example.by_recipe[recipe], recipe, example.original)
    return (digit_picture(example), map_, *removals)


def digit_picture(example: Example) -> Picture:
    """Show an unmodified digit."""
    caption, wrong = _caption(example, example.original)
    alt = f"A handwritten {example.label}, unmodified: {_aloud(caption)}"
    return Picture("digit", example.pixels, caption, alt, wrong, name="digit")


def map_picture(example: Example, relevance: Tensor, name: str, explained: Prediction) -> Picture:
    """Show relevance by a recipe or of a network, which is also the picture's name."""
    limit = largest(relevance)
    caption = (f"for a {explained.label}", f"|R| \N{LESS-THAN OR EQUAL TO} {limit:.2g}")
    alt = (
        f"Relevance by {name} of the pixels of a handwritten {example.label} for a "
        f"{explained.label}, from {float(relevance.min()):+.2g} to {float(relevance.max()):+.2g}"
    )
    wrong = explained.label != example.label
    return Picture("map", relevance, caption, alt, wrong, limit, f"map {name}")


def largest(relevance: Tensor) -> float:
    """Return the largest |relevance|; 1 for a map of zeros."""
    return float(relevance.abs().max()) or 1.0


def outline(pixels: Tensor) -> list[tuple[int, int, int, int]]:
    """List the edges (x0, y0, x1, y1) between pixels above half grey and others."""
    ink = torch.nn.functional.pad((pixels > 0.5).int(), (1, 1, 1, 1))
    across = (ink[1:-1, 1:] != ink[1:-1, :-1]).nonzero().tolist()  # left of column x
    down = (ink[1:, 1:-1] != ink[:-1, 1:-1]).nonzero().tolist()  # above row y
    return [(x, y, x, y + 1) for y, x in across] + [(x, y, x + 1, y) for y, x in down]


def without(example: Example, order: str, grey: float) -> Tensor:
    """Return a digit (h, w) whose first pixels of an order are replaced by a grey value."""
    flat = example.pixels.flatten().clone()
    flat[list(example.removed[order])] = grey
    return flat.reshape(example.pixels.shape)


def _removed(example: Example, kind: PictureKind, order: str, fill: str, grey: float) -> Picture:
    pixels = without(example, order, grey)
    after = example.after[Removal(order, fill, len(example.removed[order]))]
    caption, wrong = _caption(example, after)
    if pixels.equal(example.pixels):
        caption = (*caption[:1], "unchanged: all blank")
    words = f"{PICTURE_TITLES[kind].lower()}, fill {fill}"
    alt = f"A handwritten {example.label}, {words}: {_aloud(caption)}"
    return Picture(kind, pixels, caption, alt, wrong, name=f"{fill} {order}")


def _caption(example: Example, prediction: Prediction) -> tuple[tuple[str, str], bool]:
    wrong = prediction.label != example.label
    mark = f" {WRONG}" if wrong else ""
    certainty = formatting.certainty(prediction.margin)
    return (f"predicted {prediction.label}{mark}", certainty), wrong


def _aloud(caption: Sequence[str]) -> str:
    return ", ".join(caption).replace(WRONG, "(wrong)")
