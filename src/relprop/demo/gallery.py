"""What is put side by side: grids of pictures with their words, for the figures and the page.

Takes the examples of a demo. Gives grids of tiles. Must not know HTML or figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from ..evaluate import ORDERS, Order
from . import wording
from .examples import Example, Picture
from .experiment import MAIN_RECIPE

WAYS: dict[Order, str] = {
    "morf": "Important removed",
    "lerf": "Unimportant removed",
    "random": "Random removed",
}


@dataclass(frozen=True)
class Tile:
    """One picture (h, w) and its words; `misread` says that the model is wrong about it."""

    pixels: Tensor
    kind: Literal["digit", "heatmap"]
    words: tuple[str, ...]
    alt: str
    misread: bool = False


@dataclass(frozen=True)
class Line:
    """A titled row of tiles."""

    title: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Grid:
    """Lines of tiles, and titles of their columns where those say something."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def removal_grid(examples: Sequence[Example]) -> Grid:
    """In the poster's manner: a line for each digit, as it is, explained, after each removal."""
    lines = []
    for example in examples:
        heatmap = example.by_recipe[MAIN_RECIPE]
        words = (f"for a {heatmap.prediction}", f"by {MAIN_RECIPE}")
        tiles = (
            _digit(example, example.original, "untouched"),
            _heatmap(example, heatmap, MAIN_RECIPE, words),
            *(_digit(example, example.after[order], WAYS[order].lower()) for order in ORDERS),
        )
        lines.append(Line(f"a {example.label}", tiles))
    return Grid(("Original", "Heatmap", *WAYS.values()), tuple(lines))


def recipe_grid(examples: Sequence[Example]) -> Grid:
    """A column for each digit: the digit, and the one model's heatmap by each recipe."""
    lines = [_originals(examples)]
    for name in examples[0].by_recipe if examples else ():
        tiles = (_heatmap(each, each.by_recipe[name], name, ()) for each in examples)
        lines.append(Line(name, tuple(tiles)))
    return Grid((), tuple(lines))


def network_grid(examples: Sequence[Example]) -> Grid:
    """A column for each digit: the digit, and each network's heatmap by the main recipe."""
    lines = [Line("", tuple(replace(tile, words=()) for tile in _originals(examples).tiles))]
    for name in examples[0].by_network if examples else ():
        pictures = [(each, each.by_network[name]) for each in examples]
        tiles = (
            _heatmap(each, picture, name, _reading(each, picture)) for each, picture in pictures
        )
        lines.append(Line(name, tuple(tiles)))
    return Grid((), tuple(lines))


def _originals(examples: Sequence[Example]) -> Line:
    return Line("", tuple(_digit(each, each.original, "untouched") for each in examples))


def _digit(example: Example, picture: Picture, what: str) -> Tile:
    return Tile(
        pixels=picture.pixels,
        kind="digit",
        words=_reading(example, picture),
        alt=f"A handwritten {example.label}, {what}: {', '.join(_reading(example, picture))}",
        misread=picture.prediction != example.label,
    )


def _heatmap(example: Example, picture: Picture, by: str, words: tuple[str, ...]) -> Tile:
    return Tile(
        pixels=picture.pixels,
        kind="heatmap",
        words=words,
        alt=f"Heatmap by {by}: which pixels of a handwritten {example.label} speak for and "
        f"against a {picture.prediction}",
        misread=picture.prediction != example.label,
    )


def _reading(example: Example, picture: Picture) -> tuple[str, str]:
    verb = "read as" if picture.prediction == example.label else "misread as"
    return f"{verb} {picture.prediction}", f"margin {wording.margin(picture.margin)}"
