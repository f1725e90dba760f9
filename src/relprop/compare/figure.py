"""The figure of a comparison: mean curves of every method, a panel for each model and fill.

Takes a Comparison. Gives a matplotlib Figure: no pyplot, no state that outlives a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..support.extras import needs
from .results import Case, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which most colour-blind readers can tell apart; then marks, too
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS = ("", "o", "s", "^")
RANDOM, FAINT = "#6b7280", "#8a929c"
WIDTH, HEIGHT, LINE = 3.6, 3.0, 0.2  # inches: of a panel, and of a line of the legend


def curves_figure(comparison: Comparison) -> Figure:
    """A row of panels for each fill, a column for each model."""
    with needs("demo", "figures"):
        from matplotlib.figure import Figure
    fills = list(dict.fromkeys(case.fill for case in comparison.cases))
    models = list(dict.fromkeys(case.model for case in comparison.cases))
    methods = len(comparison.cases[0].methods)
    below = LINE * (methods + 3)
    size = (WIDTH * len(models) + 1, HEIGHT * len(fills) + below)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    panels = figure.subplots(len(fills), len(models), squeeze=False, sharey=True)
    for case in comparison.cases:
        ax = panels[fills.index(case.fill)][models.index(case.model)]
        _panel(ax, case, comparison)
    for row in panels:
        row[0].set_ylabel(_name_of(comparison.settings["score"]), fontsize=9)
    lines, names = panels[0][0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower left", frameon=False, fontsize=8)
    return figure


def _panel(ax: Axes, case: Case, comparison: Comparison) -> None:
    percent = [100 * share for share in comparison.shares]

    def draw(heights: Sequence[float], colour: str, style: str, mark: str, label: str) -> None:
        ax.plot(
            percent[: len(heights)],
            heights,
            style,
            color=colour,
            marker=mark,
            markersize=3,
            linewidth=1.4,
            label=label,
        )

    for number, one in enumerate(case.methods):
        colour = COLOURS[number % len(COLOURS)]
        mark = MARKS[number // len(COLOURS) % len(MARKS)]
        draw(one.morf.curve, colour, "-", mark, one.method)
        draw(one.lerf.curve, colour, "--", mark, "_")  # the legend says once what dashes are
    draw(case.random.curve, RANDOM, ":", "", "random order")
    draw([], FAINT, "-", "", "most relevant first")
    draw([], FAINT, "--", "", "least relevant first")
    ax.set_title(f"{Path(case.model).stem}, fill {case.fill}", fontsize=9, loc="left")
    ax.set_xlabel("pixels removed (%)", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(labelsize=8, color=FAINT)
    ax.grid(color=FAINT, alpha=0.25, linewidth=0.6)


def _name_of(score: str) -> str:
    return f"{score} of the class first read" if score in ("probability", "logit") else score
