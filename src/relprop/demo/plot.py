"""Figures: grids of digits and heatmaps, the share misread by recipe, curves by network.

Takes records of numbers and grids of tiles. Gives matplotlib Figures, or a figure's bytes. Keeps to
Figure objects: no pyplot, no state that outlives a call, no window system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from ..evaluate import ORDERS, Order
from ..evaluate.statistics.classification import ClassificationSummary, Proportion
from ..support.extras import needs
from ..support.heatmap import HEATMAP_COLOURS, Colours, relevance_colours
from . import wording
from .experiment import RuleTable
from .gallery import Grid, Line, Tile
from .networks import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure; the three orders are from the palette of Okabe and Ito."""

    text: str
    faint: str
    paper: str  # "none" is see-through
    orders: dict[Order, str]


LIGHT = Theme(
    text="#1d2126",
    faint="#8a929c",
    paper="none",
    orders={"morf": "#c24a00", "lerf": "#0072b2", "random": "#6b7280"},
)
DARK = Theme(
    text="#e8eaed",
    faint="#7d8793",
    paper="none",
    orders={"morf": "#ff8a4c", "lerf": "#56b4e9", "random": "#a4adb8"},
)
PAPER = Theme(text=LIGHT.text, faint=LIGHT.faint, paper="white", orders=LIGHT.orders)

TILE, GAP, WORDS = 1.2, 0.12, 0.17  # inches: a tile, the space between two, a line of words

MARKERS: dict[Order, str] = {"morf": "o", "lerf": "s", "random": "D"}
OFFSETS: dict[Order, float] = {"morf": -0.12, "lerf": 0.12}  # of a row: equal shares do not cover


def tile_colours(tile: Tile) -> Colours:
    """The tile as (h, w, 4) colours; every digit on the same scale, 0 black and 1 white."""
    if tile.kind == "heatmap":
        return relevance_colours(tile.pixels)
    grey = (tile.pixels.clamp(0, 1) * 255).round().byte().numpy()
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def scale_colours(count: int = 9) -> list[str]:
    """Colours of the heatmaps' scale as #rrggbb, from against the class to for it."""
    ramp = relevance_colours(torch.linspace(-1, 1, count)[None])[0]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue, _ in ramp.tolist()]


def grid_figure(grid: Grid, note: str) -> Figure:
    """A grid of tiles with their words, the scale of the heatmaps, and a note below."""
    left = 0.25 + 0.075 * max(len(line.title) for line in grid.lines)  # room for the titles
    above, below = 0.5 if grid.columns else 0.15, 0.75
    heights = [TILE + GAP + WORDS * max(len(t.words) for t in line.tiles) for line in grid.lines]
    width = left + (TILE + GAP) * len(grid.lines[0].tiles) + 0.1
    figure = _figure(width, above + sum(heights) + below)
    top = below + sum(heights)
    for line, height in zip(grid.lines, heights, strict=True):
        _draw_line(figure, line, left, top)
        top -= height
    for ax, title in zip(figure.axes, grid.columns, strict=False):
        ax.set_title(title.replace(" ", "\n"), fontsize=9)
    _draw_scale(figure)
    figure.text(0.5, 0.1 / figure.get_figheight(), note, ha="center", fontsize=7.5)
    return figure


def shares_figure(table: RuleTable, theme: Theme = PAPER) -> Figure:
    """Share misread by recipe, most and least relevant pixels removed, beside random removal."""
    figure = _figure(4.4, 3.5, theme)
    ax = figure.add_axes((0.33, 0.14, 0.64, 0.78))
    names = [row.recipe for row in table.rows]
    _dots(ax, [row.most for row in table.rows], "morf", theme)
    _dots(ax, [row.least for row in table.rows], "lerf", theme)
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
        label=wording.ORDER_NAMES["random"],
        zorder=1,
    )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-2, 102)
    ax.set_xlabel(f"misread after {100 * table.q:g}% of pixels are removed (%)")
    _style(ax, theme)
    _legend(ax, theme)
    return figure


def curves_figure(networks: Sequence[Network], theme: Theme = PAPER) -> Figure:
    """Share still read correctly as more pixels go, a panel for each network."""
    figure = _figure(3.5 * len(networks), 3.2, theme)
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for ax, network in zip(panels, networks, strict=True):
        for order in ORDERS:
            _curve(ax, network, order, theme)
        ax.set_title(network.name, color=theme.text, fontsize=10, pad=22, loc="left")
        ax.set_ylim(-3, 103)
        ax.set_xlabel("pixels removed (%)")
        ax.set_ylabel("read correctly (%)")
        _style(ax, theme)
        _legend(ax, theme)
    figure.tight_layout()
    return figure


def to_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """The figure as a PNG of 200 dots an inch, or as an SVG; the same figure gives the same."""
    from matplotlib import rc_context

    buffer = BytesIO()
    stamp = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "relprop"}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=stamp)
    return buffer.getvalue()


def _figure(width: float, height: float, theme: Theme = PAPER) -> Figure:
    with needs("demo", "figures"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), facecolor=theme.paper)


def _draw_line(figure: Figure, line: Line, left: float, top: float) -> None:
    """A title and tiles, from `left` to the right and from `top` down, both in inches."""
    width, height = figure.get_size_inches()
    middle = (top - TILE / 2) / height
    figure.text((left - GAP) / width, middle, line.title, ha="right", va="center", fontsize=9)
    for column, tile in enumerate(line.tiles):
        x = left + (TILE + GAP) * column
        box = (x / width, (top - TILE) / height, TILE / width, TILE / height)
        _draw_tile(figure.add_axes(box), tile)


def _draw_tile(ax: Axes, tile: Tile) -> None:
    ax.imshow(tile_colours(tile), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color("#c9ced6")
    colour = PAPER.orders["morf"] if tile.misread else PAPER.text
    ax.set_xlabel("\n".join(tile.words), color=colour, fontsize=8, labelpad=3)


def _draw_scale(figure: Figure) -> None:
    """A colour bar without numbers, because each heatmap has its own scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    height = figure.get_figheight()
    bar = figure.add_axes((0.36, 0.52 / height, 0.28, 0.09 / height))
    figure.colorbar(
        ScalarMappable(Normalize(-1, 1), HEATMAP_COLOURS), cax=bar, orientation="horizontal"
    )
    bar.set_xticks([-1, 0, 1], ["against the class", "0", "for the class"], fontsize=8)
    bar.tick_params(length=0, pad=3)


def _dots(ax: Axes, cells: Sequence[ClassificationSummary], order: Order, theme: Theme) -> None:
    shares = [100 * cell.error_rate.value for cell in cells]
    ax.errorbar(
        shares,
        [row + OFFSETS[order] for row in range(len(cells))],
        xerr=_bars([cell.error_rate for cell in cells]),
        fmt=MARKERS[order],
        color=theme.orders[order],
        markersize=5,
        elinewidth=1.4,
        label=wording.ORDER_NAMES[order],
    )


def _curve(ax: Axes, network: Network, order: Order, theme: Theme) -> None:
    misread = [cell.error_rate for cell in network.curves[order]]
    steps = [100 * step for step in network.steps]
    colour = theme.orders[order]
    ax.plot(
        steps,
        [100 - 100 * share.value for share in misread],
        color=colour,
        marker=MARKERS[order],
        markersize=4,
        linewidth=1.6,
        label=wording.ORDER_NAMES[order],
    )
    low = [100 - 100 * share.interval.high for share in misread]
    high = [100 - 100 * share.interval.low for share in misread]
    ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)


def _bars(shares: Sequence[Proportion]) -> list[list[float]]:
    """Lengths of the error bars below and above each share, in percent."""
    return [
        [100 * max(0.0, share.value - share.interval.low) for share in shares],
        [100 * max(0.0, share.interval.high - share.value) for share in shares],
    ]


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
    """Above the axes, where nothing is drawn that it could cover."""
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
