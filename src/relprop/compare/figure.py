"""The figure of a comparison: mean curves of every method, a panel for each model and fill.

Takes a Comparison. Gives a matplotlib Figure. Must not use pyplot, whose state outlives a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..support.extras import needs
from ..support.figures import as_written
from .results import Comparison, ModelFillResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito, which most colour-blind readers can tell apart; where the colours
# repeat, markers differ.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = ("", "o", "s", "^")
RANDOM, FAINT = "#6b7280", "#8a929c"
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_LINE = 3.6, 3.0, 0.2  # inches


def curves_figure(comparison: Comparison) -> Figure:
    """Draw a row of panels for each fill, and a column for each model."""
    with needs("demo", "figures"):
        from matplotlib.figure import Figure
    fills = list(dict.fromkeys(result.fill for result in comparison.results))
    models = list(dict.fromkeys(result.model for result in comparison.results))
    legend_height = LEGEND_LINE * (len(comparison.results[0].methods) + 3)
    size = (PANEL_WIDTH * len(models) + 1, PANEL_HEIGHT * len(fills) + legend_height)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    panels = figure.subplots(len(fills), len(models), squeeze=False, sharey=True)
    for result in comparison.results:
        ax = panels[fills.index(result.fill)][models.index(result.model)]
        _draw_panel(ax, result, comparison)
    for row in panels:
        row[0].set_ylabel(_score_label(comparison.settings["score"]), fontsize=9)
    lines, names = panels[0][0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower left", frameon=False, fontsize=8)
    return as_written(figure)


def _draw_panel(ax: Axes, result: ModelFillResult, comparison: Comparison) -> None:
    percent = [100 * share for share in comparison.shares]

    def draw(heights: Sequence[float], colour: str, style: str, marker: str, label: str) -> None:
        ax.plot(
            percent[: len(heights)],
            heights,
            style,
            color=colour,
            marker=marker,
            markersize=3,
            linewidth=1.4,
            label=label,
        )

    for index, method in enumerate(result.methods):
        colour = COLOURS[index % len(COLOURS)]
        marker = MARKERS[index // len(COLOURS) % len(MARKERS)]
        draw(method.morf.curve, colour, "-", marker, method.method)
        draw(method.lerf.curve, colour, "--", marker, "_")  # the legend explains dashes once
    draw(result.random.curve, RANDOM, ":", "", "random order")
    draw([], FAINT, "-", "", "most relevant first")
    draw([], FAINT, "--", "", "least relevant first")
    ax.set_title(f"{Path(result.model).stem}, fill {result.fill}", fontsize=9, loc="left")
    ax.set_xlabel("pixels removed (%)", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(labelsize=8, color=FAINT)
    ax.grid(color=FAINT, alpha=0.25, linewidth=0.6)


def _score_label(score: str) -> str:
    of_class = score in ("probability", "logit")
    return f"{score} of the predicted class" if of_class else score
