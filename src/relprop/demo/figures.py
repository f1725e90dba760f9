"""Figures: pictures of digits and maps, error rates by recipe, error rates by network.

Takes records of numbers and pictures. Gives matplotlib Figures. Must not use pyplot, whose state
outlives a call and which may need a window system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..evaluate.statistics.classification import ClassificationSummary, Proportion
from ..plot.colours import Colours, relevance_colours
from ..plot.style import RELEVANCE_COLOURS
from ..support.extras import needs
from . import formatting
from .networks import CURVE_ORDERS, NetworkResult
from .pictures import Picture, outline
from .removal import BRIGHTEST, CONTROL_ORDERS, DEMO_FILLS, INK
from .rule_table import MAIN_RECIPE, RuleTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

TEXT, FAINT, WRONG_TEXT = "#1d2126", "#8a929c", "#a63c00"
# After the palette of Okabe and Ito, which most colour-blind readers can tell apart.
ORDER_COLOURS = {MAIN_RECIPE: "#c24a00", BRIGHTEST: "#0072b2", INK: "#6b7280"}
MARKERS = {MAIN_RECIPE: "o", BRIGHTEST: "s", INK: "D"}
IMAGE, GAP, CAPTION_LINE = 1.2, 0.12, 0.17  # inches: sides of a picture, and what is between


def picture_colours(picture: Picture, limit: float | None = None) -> Colours:
    """Colour a picture, (h, w, 4): grey from 0 black to 1 white, relevance up to the limit.

    Args:
        picture: The picture.
        limit: |relevance| of the fullest colour; None: that of the picture.
    """
    if picture.kind == "map":
        return relevance_colours(picture.pixels, limit or picture.limit)
    grey = (picture.pixels.clamp(0, 1) * 255).round().byte().numpy()
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def pictures_figure(
    rows: Sequence[tuple[str, Sequence[Picture]]],
    digits: Sequence[Tensor],
    columns: Sequence[str],
    note: str,
    limit: float | None = None,
) -> Figure:
    """Draw rows of pictures with captions, the scale of the maps, and a note below.

    Args:
        rows: Title and pictures of each row.
        digits: The digit of each row (h, w), whose outline is drawn on its maps; none for rows of
            several digits.
        columns: Titles of the columns; may be empty.
        note: Text below.
        limit: |relevance| of the fullest colour in all maps; None: each has its own.
    """
    left = 0.3 + 0.075 * max(len(title) for title, _ in rows)  # space for the titles
    above, below = (0.75 if columns else 0.15), 0.68 + 0.16 * (1 + note.count("\n"))
    heights = [
        IMAGE + GAP + CAPTION_LINE * max(len(picture.caption) for picture in pictures)
        for _, pictures in rows
    ]
    width = left + (IMAGE + GAP) * len(rows[0][1]) + 0.1
    figure = _figure(width, above + sum(heights) + below)
    top = below + sum(heights)
    for i, ((title, pictures), height) in enumerate(zip(rows, heights, strict=True)):
        _draw_row(figure, title, pictures, left, top, limit)
        if digits:
            _draw_outlines(figure.axes[-len(pictures) :], pictures, digits[i])
        top -= height
    for ax, title in zip(figure.axes, columns, strict=False):
        ax.set_title(title, fontsize=9)
    _draw_scale(figure, limit, below)
    figure.text(0.5, 0.1 / figure.get_figheight(), note, ha="center", fontsize=7.5)
    return figure


def error_rates_figure(table: RuleTable) -> Figure:
    """Draw error rates by recipe under each fill, with the controls as bands."""
    figure = _figure(4.0 * len(DEMO_FILLS), 3.4)
    panels = figure.subplots(1, len(DEMO_FILLS), sharey=True)
    names = [row.recipe for row in table.rows]
    for ax, fill in zip(panels, DEMO_FILLS, strict=True):
        rates = [row.most[fill].error_rate for row in table.rows]
        _draw_rates(ax, rates)
        for control in CONTROL_ORDERS:
            _draw_band(ax, control, table.controls[control][fill].error_rate)
        ax.set_title(f"removed pixels {formatting.FILL_NAMES[fill]}", fontsize=9, pad=22)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(-2, 102)
        ax.set_xlabel(f"wrong without {100 * table.q:g}% of pixels (%)")
        _style(ax)
        _legend(ax)
    figure.tight_layout()
    return figure


def curves_figure(networks: Sequence[NetworkResult]) -> Figure:
    """Draw error rates as more pixels are removed: a row for each fill, a column for a network."""
    figure = _figure(3.5 * len(networks), 3.0 * len(DEMO_FILLS))
    panels = figure.subplots(len(DEMO_FILLS), len(networks), squeeze=False, sharey=True)
    for row, fill in zip(panels, DEMO_FILLS, strict=True):
        for ax, network in zip(row, networks, strict=True):
            for order in CURVE_ORDERS:
                _draw_curve(ax, network.shares, order, network.curves[fill][order])
            title = f"{network.name}, {formatting.FILL_NAMES[fill]}"
            ax.set_title(title, color=TEXT, fontsize=9, pad=20, loc="left")
            ax.set_ylim(-3, 103)
            ax.set_xlabel("pixels removed (%)")
            ax.set_ylabel("wrong (%)")
            _style(ax)
            _legend(ax)
    figure.tight_layout()
    return figure


def _figure(width: float, height: float) -> Figure:
    with needs("demo", "figures"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), facecolor="white")


def _draw_row(
    figure: Figure,
    title: str,
    pictures: Sequence[Picture],
    left: float,
    top: float,
    limit: float | None,
) -> None:
    """Draw a title and pictures, from `left` to the right and from `top` down, both in inches."""
    width, height = figure.get_size_inches()
    middle = (top - IMAGE / 2) / height
    figure.text((left - GAP) / width, middle, title, ha="right", va="center", fontsize=9)
    for column, picture in enumerate(pictures):
        x = left + (IMAGE + GAP) * column
        box = (x / width, (top - IMAGE) / height, IMAGE / width, IMAGE / height)
        _draw_picture(figure.add_axes(box), picture, limit)


def _draw_picture(ax: Axes, picture: Picture, limit: float | None) -> None:
    ax.imshow(picture_colours(picture, limit), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color("#c9ced6")
    colour = WRONG_TEXT if picture.wrong else TEXT
    ax.set_xlabel("\n".join(picture.caption), color=colour, fontsize=8, labelpad=3)


def _draw_outlines(panels: Sequence[Axes], pictures: Sequence[Picture], digit: Tensor) -> None:
    from matplotlib.collections import LineCollection

    lines = [[(x0 - 0.5, y0 - 0.5), (x1 - 0.5, y1 - 0.5)] for x0, y0, x1, y1 in outline(digit)]
    for ax, picture in zip(panels, pictures, strict=True):
        if picture.kind == "map":
            ax.add_collection(LineCollection(lines, colors="#5c6570", linewidths=0.5))


def _draw_scale(figure: Figure, limit: float | None, below: float) -> None:
    """Draw the colour bar, with numbers where all maps share the limit."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    height = figure.get_figheight()
    bar = figure.add_axes((0.36, (below - 0.26) / height, 0.28, 0.09 / height))
    end = limit or 1.0
    shown = ScalarMappable(Normalize(-end, end), RELEVANCE_COLOURS)
    figure.colorbar(shown, cax=bar, orientation="horizontal")
    least, most = (f"{-end:.2g}", f"+{end:.2g}") if limit else ("-limit", "+limit")
    bar.set_xticks([-end, 0, end], [f"{least}\nagainst", "0", f"{most}\nfor the class"])
    bar.tick_params(length=0, pad=3, labelsize=8)


def _draw_rates(ax: Axes, rates: Sequence[Proportion]) -> None:
    ax.errorbar(
        [100 * rate.value for rate in rates],
        range(len(rates)),
        xerr=_error_bars(rates),
        fmt=MARKERS[MAIN_RECIPE],
        color=ORDER_COLOURS[MAIN_RECIPE],
        markersize=5,
        elinewidth=1.4,
        label="most relevant",
    )


def _draw_band(ax: Axes, control: str, rate: Proportion) -> None:
    """Draw the error rate of a control, with its interval where n allows one."""
    colour, style = ORDER_COLOURS[control], {BRIGHTEST: "-", INK: "--"}[control]
    if rate.n >= formatting.FEWEST:
        ends = 100 * rate.interval.low, 100 * rate.interval.high
        ax.axvspan(*ends, color=colour, alpha=0.2, linewidth=0)
    name = formatting.ORDER_NAMES[control]
    ax.axvline(100 * rate.value, color=colour, linestyle=style, linewidth=1.2, label=name)


def _error_bars(rates: Sequence[Proportion]) -> list[list[float]] | None:
    """Return the lengths of the error bars below and above each rate; None where n is small."""
    if rates[0].n < formatting.FEWEST:
        return None
    return [
        [100 * max(0.0, rate.value - rate.interval.low) for rate in rates],
        [100 * max(0.0, rate.interval.high - rate.value) for rate in rates],
    ]


def _draw_curve(
    ax: Axes, shares: Sequence[float], order: str, summaries: Sequence[ClassificationSummary]
) -> None:
    rates = [summary.error_rate for summary in summaries]
    percent, colour = [100 * share for share in shares], ORDER_COLOURS[order]
    ax.plot(
        percent,
        [100 * rate.value for rate in rates],
        color=colour,
        marker=MARKERS[order],
        markersize=4,
        linewidth=1.6,
        label=formatting.ORDER_NAMES.get(order, order),
    )
    if rates[0].n >= formatting.FEWEST:
        low = [100 * rate.interval.low for rate in rates]
        high = [100 * rate.interval.high for rate in rates]
        ax.fill_between(percent, low, high, color=colour, alpha=0.2, linewidth=0)


def _style(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(colors=TEXT, labelsize=9, color=FAINT)
    ax.xaxis.label.set(color=TEXT, fontsize=9)
    ax.yaxis.label.set(color=TEXT, fontsize=9)
    ax.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def _legend(ax: Axes) -> None:
    """Draw the legend above the axes, where it covers nothing."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=3,
        frameon=False,
        fontsize=8,
        labelcolor=TEXT,
        handletextpad=0.3,
        columnspacing=0.9,
        handlelength=1.2,
        borderaxespad=0.1,
    )
