"""Removal curves as a figure: mean scores with 95 % bands, the random order in grey.

Takes curves. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...support.estimates import bootstrap_means
from ...support.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .removal_curve import RemovalCurve

# The palette of Okabe and Ito, which most colour-blind readers can tell apart.
_COLOURS = {"morf": "#d55e00", "lerf": "#0072b2", "random": "#6b7280", "custom": "#009e73"}
_NAMES = {
    "morf": "most relevant first",
    "lerf": "least relevant first",
    "random": "random order",
    "custom": "own order",
}
_WIDTH, _HEIGHT = 3.8, 3.2  # inches of a panel


def draw_curves(panels: Mapping[str, "list[RemovalCurve]"]) -> "Figure":
    """Draw the mean of each curve over its samples, with the bootstrap's 95 % interval.

    Args:
        panels: Title -> the curves of one panel.
    """
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    size = (_WIDTH * len(panels) + 0.3, _HEIGHT)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for (title, curves), axes in zip(panels.items(), grid, strict=True):
        for curve in curves:
            _draw_curve(axes, curve)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel(f"removed (%), fill {curves[0].fill}", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.grid(color="#8a929c", alpha=0.25, linewidth=0.6)
    first = next(iter(panels.values()))[0]
    grid[0].set_ylabel(f"{first.score}, mean of {len(first.scores)}", fontsize=8)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return figure


def _draw_curve(axes: "Axes", curve: "RemovalCurve") -> None:
    percent = (100 * curve.shares.double().mean(0)).tolist()
    means = bootstrap_means(list(curve.scores.double().unbind(1)))
    heights = [estimate.mean for estimate in means]
    colour = _COLOURS[curve.order]
    axes.plot(
        *(percent, heights),
        color=colour,
        linewidth=1.4,
        marker="o",
        markersize=2.5,
        label=_NAMES[curve.order],
    )
    bands = [estimate.interval for estimate in means]
    if all(bands):
        low, high = [band.low for band in bands if band], [band.high for band in bands if band]
        axes.fill_between(percent, low, high, color=colour, alpha=0.15, linewidth=0)
