"""Removal curves as a figure: mean scores with 95 % bands, the random order in grey.

Takes curves. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...errors import InputError
from ...support.estimates import bootstrap_means
from ...support.extras import needs
from ...support.figures import as_written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .removal_curve import RemovalCurve

# The palette of Okabe and Ito, which most colour-blind readers can tell apart.
_COLOURS = {"morf": "#d55e00", "lerf": "#0072b2", "random": "#6b7280", "custom": "#009e73"}
ORDER_LABELS = {
    "morf": "most relevant first",
    "lerf": "least relevant first",
    "random": "random order",
    "custom": "own order",
}
# Told apart without colours, too.
_LINES = {"morf": ("-", "o"), "lerf": ("--", "s"), "random": (":", "^"), "custom": ("-.", "D")}
_WIDTH, _HEIGHT = 3.8, 3.2  # inches of a panel
_PANELS = 3  # beside one another


def draw_curves(panels: "Mapping[str, Sequence[RemovalCurve]]") -> "Figure":
    """Draw the mean of each curve over its samples, with the bootstrap's 95 % interval.

    Args:
        panels: Title -> the curves of one panel.
    """
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    check_scores(panels)
    columns = min(_PANELS, len(panels))
    rows = -(-len(panels) // columns)
    size = (_WIDTH * columns + 0.3, (_HEIGHT - 0.4) * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for axes in grid[len(panels) :]:
        axes.remove()
    for (title, curves), axes in zip(panels.items(), grid, strict=False):
        for curve in curves:
            _draw_curve(axes, curve)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel(f"removed (%), fill {curves[0].fill}", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.grid(color="#8a929c", alpha=0.25, linewidth=0.6)
    first = next(iter(panels.values()))[0]
    for axes in grid[: len(panels) : columns]:
        axes.set_ylabel(f"{first.score}, mean of {len(first.scores)}", fontsize=8)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return as_written(figure)


def check_scores(panels: "Mapping[str, Sequence[RemovalCurve]]") -> None:
    """Raise InputError where the score of a sample is NaN or infinite: means would be, too."""
    for name, curves in panels.items():
        for curve in curves:
            wrong = ~curve.scores.isfinite().all(1)
            if bool(wrong.any()):
                of = f" of {name}" if name else ""
                given = f"scores{of} that are not finite, of {int(wrong.sum())} of {len(wrong)}"
                raise InputError(
                    f"{given} samples: the first is {int(wrong.nonzero()[0])}",
                    "finite scores, of which a mean is drawn",
                    "check the score, or leave them out: x[curve.scores.isfinite().all(1)]",
                )


def _draw_curve(axes: "Axes", curve: "RemovalCurve") -> None:
    percent = (100 * curve.shares.double().mean(0)).tolist()
    means = bootstrap_means(list(curve.scores.double().unbind(1)))
    heights = [estimate.mean for estimate in means]
    colour, (line, marker) = _COLOURS[curve.order], _LINES[curve.order]
    axes.plot(
        *(percent, heights),
        color=colour,
        linewidth=1.4,
        linestyle=line,
        marker=marker,
        markersize=3,
        label=ORDER_LABELS[curve.order],
    )
    bands = [estimate.interval for estimate in means]
    if all(bands):
        low, high = [band.low for band in bands if band], [band.high for band in bands if band]
        axes.fill_between(percent, low, high, color=colour, alpha=0.15, linewidth=0)
