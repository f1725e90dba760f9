"""Figures of a selection: accuracy over k, and the importance of pixels.

Takes records. Gives matplotlib Figures, without pyplot and its global state.
"""

from typing import TYPE_CHECKING

from ...support.extras import needs
from ...support.figures import as_written
from .accuracy import AccuracyOverK
from .rankers import RELEVANCE
from .run import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The palette of Okabe and Ito, which most colour-blind readers can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_FAINT = "#8a929c"


def accuracy_figure(measured: AccuracyOverK) -> "Figure":
    """Draw the mean score of each method over k, that of relevance with its intervals."""
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, colour in zip(measured.scores, _COLOURS, strict=False):
        found = [measured.estimate(k, name) for k in measured.ks]
        means = [one.mean for one in found]
        if name == RELEVANCE:
            ends = [one.interval for one in found if one.interval]
            low, high = [end.low for end in ends], [end.high for end in ends]
            axes.fill_between(measured.ks, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(measured.ks, means, color=colour, marker="o", markersize=3, label=name)
    axes.axhline(float(measured.all_features.mean()), color=_FAINT, linestyle=":", label="all")
    axes.set_xscale("log")
    axes.set_xticks(measured.ks, [f"{k:,}" for k in measured.ks])
    axes.minorticks_off()
    axes.set_xlabel("k, the number of features")
    axes.set_ylabel(measured.score_name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return as_written(figure)


def pixels_figure(selection: Selection) -> "Figure":
    """Draw the importance of each pixel, and which are kept."""
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    importance, kept = figure.subplots(1, 2)
    importance.imshow(selection.ranking.importance.reshape(selection.grid), cmap="cividis")
    importance.set_title("mean |R|", fontsize=9)
    kept.imshow(selection.mask.reshape(selection.grid), cmap="cividis", vmin=0, vmax=1)
    kept.set_title(f"the {selection.k:,} that are kept", fontsize=9)
    for axes in (importance, kept):
        axes.set_axis_off()
    return as_written(figure)
