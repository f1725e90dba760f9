"""Figures and tables of numbers as HTML, light and dark.

Takes functions that draw, and numbers as text. Gives a fragment that loads nothing from elsewhere.
Must not know what is drawn.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..support.extras import needs
from ..support.figures import figure_bytes
from .html import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DARK, _INK, _LINES = "#1c2025", "#e8eaed", "#a3acb7"
_DARK_SETTINGS = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), _DARK),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    "axes.edgecolor": _LINES,
}
_PIXELS = 96  # of a page, to an inch
_SMALLEST = 0.75  # of its size that a figure has on a narrow screen, where it is scrolled


@dataclass(frozen=True)
class ThemedChart:
    """A figure, drawn for light and for dark pages.

    Attributes:
        light, dark: The images, as data.
        alt: What it shows, for readers who cannot see it.
        least_width: Pixels below which its letters are too small.
    """

    light: str
    dark: str
    alt: str
    least_width: int


@dataclass(frozen=True)
class NumberTable:
    """A table of numbers.

    Attributes:
        title: What it holds.
        head: Names of its columns.
        rows: Their cells; the first one names the row.
        texts: How many columns, from the left, are texts.
        folded: Whether it is shown on a click alone.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    folded: bool = False


def draw_chart(draw: Callable[[], "Figure"], alt: str) -> ThemedChart:
    """Draw a figure in light and in dark colours.

    Args:
        draw: Makes the figure, with matplotlib's own colours where it chooses none.
        alt: What it shows.

    Raises:
        MissingExtraError: matplotlib, of the extra "plot", is not installed.
    """
    with needs("plot", "figures"):
        from matplotlib import style
    with style.context("default"):  # a page looks the same whatever the user's style is
        figure = draw()
        light = _svg_url(figure)
    with style.context(["default", _DARK_SETTINGS]):
        dark = _svg_url(draw())
    width = _SMALLEST * _PIXELS * float(figure.get_size_inches()[0])
    return ThemedChart(light, dark, alt, round(width))


def chart_fragment(
    summary: str, charts: Sequence[ThemedChart], tables: Sequence[NumberTable]
) -> str:
    """Render figures with their numbers.

    Args:
        summary: What they show, in a sentence.
        charts: Figures.
        tables: Their numbers.
    """
    return render("charts.html", summary=summary, charts=charts, tables=tables)


def _svg_url(figure: "Figure") -> str:
    return f"data:image/svg+xml;base64,{b64encode(figure_bytes(figure, 'svg')).decode()}"
