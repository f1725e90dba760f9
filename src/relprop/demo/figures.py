"""Figures: grids of digits and heatmaps, error rates by recipe, accuracy curves by network.

Takes records of numbers and grids of images. Gives matplotlib Figures. Must not use pyplot, whose
state outlives a call and which may need a window system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..evaluate import ORDERS, Order
from ..evaluate.statistics.classification import ClassificationSummary, Proportion
from ..plot.colours import Colours, relevance_colours
from ..plot.style import RELEVANCE_COLOURS
from ..support.extras import needs
from . import formatting
from .grids import Grid, GridImage, GridRow
from .networks import NetworkResult
from .rule_table import RuleTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        text: Of labels.
        faint: Of axes and grid lines.
        background: Of the figure; "none" is transparent.
        orders: Of the three orders, after the palette of Okabe and Ito.
    """

    text: str
    faint: str
    background: str
    orders: dict[Order, str]


LIGHT = Theme(
    text="#1d2126",
    faint="#8a929c",
    background="none",
    orders={"morf": "#c24a00", "lerf": "#0072b2", "random": "#6b7280"},
)
DARK = Theme(
    text="#e8eaed",
    faint="#7d8793",
    background="none",
    orders={"morf": "#ff8a4c", "lerf": "#56b4e9", "random": "#a4adb8"},
)
PRINT = Theme(text=LIGHT.text, faint=LIGHT.faint, background="white", orders=LIGHT.orders)

IMAGE, GAP, CAPTION_LINE = 1.2, 0.12, 0.17  # inches: sides of an image, and what is between

MARKERS: dict[Order, str] = {"morf": "o", "lerf": "s", "random": "D"}
OFFSETS: dict[Order, float] = {"morf": -0.12, "lerf": 0.12}  # so that equal rates do not overlap


def image_colours(image: GridImage) -> Colours:
    """Colour an image, (h, w, 4); every digit is on the same scale, 0 black and 1 white."""
    if image.kind == "heatmap":
        return relevance_colours(image.pixels)
    grey = (image.pixels.clamp(0, 1) * 255).round().byte().numpy()
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def scale_colours(count: int = 9) -> list[str]:
    """List colours of the heatmaps' scale as #rrggbb, from against the class to for it."""
    ramp = relevance_colours(torch.linspace(-1, 1, count)[None])[0]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue, _ in ramp.tolist()]


def grid_figure(grid: Grid, note: str) -> Figure:
    """Draw a grid of images with captions, the scale of the heatmaps, and a note below."""
    left = 0.25 + 0.075 * max(len(row.title) for row in grid.rows)  # space for the titles
    above, below = 0.5 if grid.columns else 0.15, 0.75
    heights = [
        IMAGE + GAP + CAPTION_LINE * max(len(image.caption) for image in row.images)
        for row in grid.rows
    ]
    width = left + (IMAGE + GAP) * len(grid.rows[0].images) + 0.1
    figure = _figure(width, above + sum(heights) + below)
    top = below + sum(heights)
    for row, height in zip(grid.rows, heights, strict=True):
        _draw_row(figure, row, left, top)
        top -= height
    for ax, title in zip(figure.axes, grid.columns, strict=False):
        ax.set_title(title.replace(" removed", "\nremoved"), fontsize=9)
    _draw_scale(figure)
    figure.text(0.5, 0.1 / figure.get_figheight(), note, ha="center", fontsize=7.5)
    return figure


def error_rates_figure(table: RuleTable, theme: Theme = PRINT) -> Figure:
    """Draw error rates by recipe, with most and with least relevant pixels removed, and random."""
    figure = _figure(4.4, 3.5, theme)
    ax = figure.add_axes((0.33, 0.14, 0.64, 0.78))
    names = [row.recipe for row in table.rows]
    _draw_rates(ax, [row.most for row in table.rows], "morf", theme)
    _draw_rates(ax, [row.least for row in table.rows], "lerf", theme)
    random = table.random.error_rate
    ax.axvspan(
        *(100 * random.interval.low, 100 * random.interval.high),
        color=theme.orders["random"],
        alpha=0.25,
        linewidth=0,
    )
    ax.axvline(
        100 * random.value,
        color=theme.orders["random"],
        linewidth=1.2,
        label=formatting.ORDER_NAMES["random"],
        zorder=1,
    )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-2, 102)
    ax.set_xlabel(f"error rate after {100 * table.q:g}% of pixels are removed (%)")
    _style(ax, theme)
    _legend(ax, theme)
    return figure


def curves_figure(networks: Sequence[NetworkResult], theme: Theme = PRINT) -> Figure:
    """Draw accuracy as more and more pixels are removed, a panel for each network."""
    figure = _figure(3.5 * len(networks), 3.2, theme)
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for ax, network in zip(panels, networks, strict=True):
        for order in ORDERS:
            _draw_curve(ax, network, order, theme)
        ax.set_title(network.name, color=theme.text, fontsize=10, pad=22, loc="left")
        ax.set_ylim(-3, 103)
        ax.set_xlabel("pixels removed (%)")
        ax.set_ylabel("accuracy (%)")
        _style(ax, theme)
        _legend(ax, theme)
    figure.tight_layout()
    return figure


def _figure(width: float, height: float, theme: Theme = PRINT) -> Figure:
    with needs("demo", "figures"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), facecolor=theme.background)


def _draw_row(figure: Figure, row: GridRow, left: float, top: float) -> None:
    """Draw a title and images, from `left` to the right and from `top` down, both in inches."""
    width, height = figure.get_size_inches()
    middle = (top - IMAGE / 2) / height
    figure.text((left - GAP) / width, middle, row.title, ha="right", va="center", fontsize=9)
    for column, image in enumerate(row.images):
        x = left + (IMAGE + GAP) * column
        box = (x / width, (top - IMAGE) / height, IMAGE / width, IMAGE / height)
        _draw_image(figure.add_axes(box), image)


def _draw_image(ax: Axes, image: GridImage) -> None:
    ax.imshow(image_colours(image), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color("#c9ced6")
    colour = PRINT.orders["morf"] if image.wrong else PRINT.text
    ax.set_xlabel("\n".join(image.caption), color=colour, fontsize=8, labelpad=3)


def _draw_scale(figure: Figure) -> None:
    """Draw a colour bar without numbers, as each heatmap has its own scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    height = figure.get_figheight()
    bar = figure.add_axes((0.36, 0.52 / height, 0.28, 0.09 / height))
    figure.colorbar(
        ScalarMappable(Normalize(-1, 1), RELEVANCE_COLOURS), cax=bar, orientation="horizontal"
    )
    bar.set_xticks([-1, 0, 1], ["against the class", "0", "for the class"], fontsize=8)
    bar.tick_params(length=0, pad=3)


def _draw_rates(
    ax: Axes, summaries: Sequence[ClassificationSummary], order: Order, theme: Theme
) -> None:
    rates = [summary.error_rate for summary in summaries]
    ax.errorbar(
        [100 * rate.value for rate in rates],
        [row + OFFSETS[order] for row in range(len(rates))],
        xerr=_error_bars(rates),
        fmt=MARKERS[order],
        color=theme.orders[order],
        markersize=5,
        elinewidth=1.4,
        label=formatting.ORDER_NAMES[order],
    )


def _error_bars(rates: Sequence[Proportion]) -> list[list[float]]:
    """Return the lengths of the error bars below and above each rate, in percent."""
    return [
        [100 * max(0.0, rate.value - rate.interval.low) for rate in rates],
        [100 * max(0.0, rate.interval.high - rate.value) for rate in rates],
    ]


def _draw_curve(ax: Axes, network: NetworkResult, order: Order, theme: Theme) -> None:
    rates = [summary.error_rate for summary in network.curves[order]]
    shares = [100 * share for share in network.shares]
    colour = theme.orders[order]
    ax.plot(
        shares,
        [100 - 100 * rate.value for rate in rates],
        color=colour,
        marker=MARKERS[order],
        markersize=4,
        linewidth=1.6,
        label=formatting.ORDER_NAMES[order],
    )
    low = [100 - 100 * rate.interval.high for rate in rates]
    high = [100 - 100 * rate.interval.low for rate in rates]
    ax.fill_between(shares, low, high, color=colour, alpha=0.2, linewidth=0)


def _style(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor("none")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(theme.faint)
    ax.tick_params(colors=theme.text, labelsize=9, color=theme.faint)
    ax.xaxis.label.set(color=theme.text, fontsize=9)
    ax.yaxis.label.set(color=theme.text, fontsize=9)
    ax.grid(color=theme.faint, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def _legend(ax: Axes, theme: Theme) -> None:
    """Draw the legend above the axes, where it covers nothing."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=3,
        frameon=False,
        fontsize=8,
        labelcolor=theme.text,
        handletextpad=0.3,
        columnspacing=0.9,
        handlelength=1.2,
        borderaxespad=0.1,
    )
