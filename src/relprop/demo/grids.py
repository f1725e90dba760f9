"""Grids of images with captions, for the figures and the page.

Takes the examples of a demo. Gives grids. Must not know HTML or figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from ..evaluate import ORDERS, Order
from . import formatting
from .examples import Example, ImagePrediction
from .rule_table import MAIN_RECIPE

REMOVAL_TITLES: dict[Order, str] = {
    "morf": "Most relevant removed",
    "lerf": "Least relevant removed",
    "random": "Random removed",
}
WRONG = "\N{BALLOT X}"  # marks a wrong prediction, which colour alone would not show to everyone


@dataclass(frozen=True)
class GridImage:
    """One image of a grid.

    Attributes:
        pixels: Grey values or relevance, (h, w).
        kind: Which of the two.
        caption: Lines of text below the image.
        alt: Description for readers who cannot see the image.
        wrong: Whether the prediction is wrong.
    """

    pixels: Tensor
    kind: Literal["digit", "heatmap"]
    caption: tuple[str, ...]
    alt: str
    wrong: bool = False


@dataclass(frozen=True)
class GridRow:
    """A row of images.

    Attributes:
        title: Title at the left; may be empty.
        images: The images, from left to right.
    """

    title: str
    images: tuple[GridImage, ...]


@dataclass(frozen=True)
class Grid:
    """Rows of images.

    Attributes:
        columns: Titles of the columns; may be empty.
        rows: The rows.
    """

    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]


def removal_grid(examples: Sequence[Example]) -> Grid:
    """Make a row for each digit: the digit, its heatmap, and the digit after each removal."""
    rows = []
    for example in examples:
        heatmap = example.by_recipe[MAIN_RECIPE]
        caption = (f"for a {heatmap.prediction}", f"by {MAIN_RECIPE}")
        images = (
            _digit(example, example.original, "unmodified"),
            _heatmap(example, heatmap, MAIN_RECIPE, caption),
            *(_digit(example, example.after[o], REMOVAL_TITLES[o].lower()) for o in ORDERS),
        )
        rows.append(GridRow(f"a {example.label}", images))
    return Grid(("Original", "Heatmap", *REMOVAL_TITLES.values()), tuple(rows))


def recipe_grid(examples: Sequence[Example]) -> Grid:
    """Make a column for each digit: the digit, and one model's heatmap by each recipe."""
    rows = [_original_row(examples)]
    for name in examples[0].by_recipe if examples else ():
        images = (_heatmap(each, each.by_recipe[name], name, ()) for each in examples)
        rows.append(GridRow(name, tuple(images)))
    return Grid((), tuple(rows))


def network_grid(examples: Sequence[Example]) -> Grid:
    """Make a column for each digit: the digit, and each network's heatmap by the main recipe."""
    originals = _original_row(examples).images
    rows = [GridRow("", tuple(replace(image, caption=()) for image in originals))]
    for name in examples[0].by_network if examples else ():
        maps = [(each, each.by_network[name]) for each in examples]
        images = (_heatmap(each, map_, name, _caption(map_, each)) for each, map_ in maps)
        rows.append(GridRow(name, tuple(images)))
    return Grid((), tuple(rows))


def _original_row(examples: Sequence[Example]) -> GridRow:
    return GridRow("", tuple(_digit(each, each.original, "unmodified") for each in examples))


def _digit(example: Example, image: ImagePrediction, state: str) -> GridImage:
    caption = _caption(image, example)
    prediction = ", ".join(caption).replace(WRONG, "(wrong)")
    return GridImage(
        pixels=image.pixels,
        kind="digit",
        caption=caption,
        alt=f"A handwritten {example.label}, {state}: {prediction}",
        wrong=image.prediction != example.label,
    )


def _heatmap(
    example: Example, image: ImagePrediction, name: str, caption: tuple[str, ...]
) -> GridImage:
    return GridImage(
        pixels=image.pixels,
        kind="heatmap",
        caption=caption,
        alt=f"Heatmap by {name}: pixels of a handwritten {example.label} that speak for and "
        f"against a {image.prediction}",
        wrong=image.prediction != example.label,
    )


def _caption(image: ImagePrediction, example: Example) -> tuple[str, str]:
    mark = "" if image.prediction == example.label else f" {WRONG}"
    return f"predicted: {image.prediction}{mark}", f"margin {formatting.margin(image.margin)}"
