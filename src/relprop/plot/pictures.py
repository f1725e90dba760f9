"""Panels of pictures: the input, its relevance, both in one, and the input where it is relevant.

Takes the view of a sample. Gives images with titles. Must not know figures, pages or files.

    c  channels      h, w  height and width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from torch import Tensor

from ..errors import InputError
from ..support.arguments import suggest
from .colours import (
    Colours,
    input_colours,
    masked_colours,
    overlay_colours,
    relevance_colours,
)
from .style import MapStyle
from .view import SampleView

PanelName = Literal["input", "relevance", "overlay", "masked"]
PANELS: tuple[PanelName, ...] = get_args(PanelName)


class PictureOptions(TypedDict, total=False):
    """Keyword arguments for pictures, which `Explanation.plot` describes."""

    panels: Sequence[PanelName]
    channels: Literal["sum", "apart"]
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class PictureStyle:
    """What is drawn of pictures.

    Attributes:
        panels: Which images, from left to right.
        channels: Whether the relevance of the channels is summed, or drawn channel by channel.
        bounds: The input's values that are black and white; None: its smallest and its largest.

    Raises InputError for anything else.
    """

    panels: Sequence[PanelName] = ("input", "relevance")
    channels: Literal["sum", "apart"] = "sum"
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _check_panels(self.panels)
        if self.channels not in ("sum", "apart"):
            given = f"channels is {self.channels!r}"
            raise InputError(given, '"sum" or "apart"', 'write channels="sum"')
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            given = f"bounds is {self.bounds!r}"
            raise InputError(given, "the values of black and of white", "write bounds=(-1, 1)")


def _check_panels(panels: Sequence[str]) -> None:
    wrong = [name for name in panels if name not in PANELS]
    if wrong or isinstance(panels, str) or not panels:
        line = 'write panels=["input", "overlay"]'
        near = suggest(wrong[0], PANELS, otherwise=line) if wrong else line
        allowed = "a list of " + ", ".join(f'"{name}"' for name in PANELS)
        raise InputError(f"panels is {panels!r}", allowed, near)


@dataclass(frozen=True)
class Panel:
    """One image of a sample.

    Attributes:
        title: What it shows.
        colours: The image.
        limit: The relevance of its full colour; None for an image without relevance.
    """

    title: str
    colours: Colours
    limit: float | None


def picture_panels(
    sample: SampleView, limit: float, style: MapStyle, pictures: PictureStyle
) -> list[Panel]:
    """Draw the panels of a sample, (c, h, w)."""
    picture = input_picture(sample.input, pictures.bounds)
    maps = _maps(sample.relevance, pictures)
    panels = []
    for name in pictures.panels:
        if name == "input":
            panels.append(Panel("input", picture, None))
            continue
        for suffix, relevance in maps:
            colours = _draw(name, picture, relevance, limit, style)
            panels.append(Panel(name + suffix, colours, limit))
    return panels


def input_picture(sample: Tensor, bounds: tuple[float, float] | None) -> Colours:
    """Colour an input: of 3 channels in their colours, of others their mean in grey."""
    low, high = bounds or (None, None)
    return input_colours(sample if len(sample) == 3 else sample.double().mean(0), low, high)


def summed(relevance: Tensor, pictures: PictureStyle) -> Tensor:
    """Return the relevance whose limit counts: summed over channels (..., c, h, w), or as it is."""
    return relevance.sum(-3, keepdim=True) if pictures.channels == "sum" else relevance


def _maps(relevance: Tensor, pictures: PictureStyle) -> list[tuple[str, Tensor]]:
    if pictures.channels == "sum":
        return [("", relevance.sum(0))]
    return [(f", channel {i}", channel) for i, channel in enumerate(relevance)]


def _draw(
    name: PanelName, picture: Colours, relevance: Tensor, limit: float, style: MapStyle
) -> Colours:
    if name == "overlay":
        return overlay_colours(picture, relevance, limit, style)
    if name == "masked":
        return masked_colours(picture, relevance, limit, style)
    return relevance_colours(relevance, limit, style)
