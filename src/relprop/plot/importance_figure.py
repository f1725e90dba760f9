"""The importance of features as a figure: bars with intervals, or a dot for each sample.

Takes named numbers. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..support.estimates import Estimate
from ..support.extras import needs
from ..support.figures import as_written
from .importance import FeatureImportance, SampleRelevance
from .table_figure import AGAINST, FOR, LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, SWARM_ROW, WIDTH, HEAD = 0.32, 0.42, 6.4, 1.1  # inches: a feature, the figure, its axis
NAME_LETTERS, TITLE_LETTERS = 28, 50  # of a name and of the title in a line
SIZE, NO_VALUE = "#9aa3ad", "#6b7280"
LOW, HIGH = 5, 95  # percentiles of a feature's values that have the colours of the ends
BINS, ROOM = 120, 0.42  # of a swarm: places from left to right, and how far dots go up and down


def bar_figure(features: Sequence[FeatureImportance], title: str) -> "Figure":
    """Draw mean |R| as bars and mean R as points, with their intervals.

    Args:
        features: What is drawn, from the top.
        title: Of the figure.
    """
    figure, axes = _figure(features, title, ROW)
    places = np.arange(len(features))
    sizes, means = ([f.mean_absolute for f in features], [f.mean for f in features])
    axes.barh(places, [one.mean for one in sizes], height=0.6, color=SIZE, label="mean |R|")
    axes.errorbar(**_whiskers(sizes), y=places, fmt="none", ecolor=LINES, capsize=2.5, elinewidth=1)
    for sign, colour, marker in ((1, FOR, "D"), (-1, AGAINST, "s")):
        chosen = [i for i, one in enumerate(means) if (one.mean >= 0) == (sign > 0)]
        if chosen:
            axes.errorbar(
                **_whiskers([means[i] for i in chosen]),
                y=places[chosen] + 0.38,
                fmt=marker,
                color=colour,
                markersize=3.5,
                elinewidth=1,
                label=f"mean R, {'for' if sign > 0 else 'against'}",
            )
    axes.set_xlabel("relevance R of what is explained; lines: 95 % intervals", fontsize=8)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return as_written(figure)


def swarm_figure(
    features: Sequence[FeatureImportance], samples: SampleRelevance, title: str
) -> "Figure":
    """Draw a dot for each sample at its relevance, coloured by the value of the feature.

    Args:
        features: What is drawn, from the top.
        samples: Relevance and values of these features first, of all samples.
        title: Of the figure.
    """
    figure, axes = _figure(features, title, SWARM_ROW)
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(colormaps["viridis"](np.linspace(0, 0.9, 256)))  # no pale yellow
    relevance = samples.relevance[:, : len(features)].numpy()
    width = float(relevance.max() - relevance.min()) or 1.0
    for i in range(len(features)):
        place = i + swarm_offsets(relevance[:, i], width)
        shade = value_shades(samples.values[:, i].double().numpy())
        colour: Any = NO_VALUE if shade is None else colours(shade)
        axes.scatter(relevance[:, i], place, s=7, color=colour, linewidths=0, rasterized=True)
    bar = figure.colorbar(ScalarMappable(cmap=colours), ax=axes, fraction=0.04, pad=0.02)
    bar.set_ticks([0, 1], labels=["low", "high"])
    several = bool(samples.values[:, : len(features)].isnan().any())
    grey = "; grey: several columns" if several else ""
    bar.set_label(f"value of the feature{grey}", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    axes.set_xlabel("relevance R of what is explained, a dot for each sample", fontsize=8)
    return as_written(figure)


def swarm_offsets(relevance: NDArray[Any], width: float) -> NDArray[Any]:
    """Move dots that would lie on one another up and down in turn, (n,).

    Args:
        relevance: Of a feature, (n,).
        width: Of the axis, in its units.
    """
    places = np.floor((relevance - relevance.min()) / width * BINS).astype(int)
    order = np.argsort(places, kind="stable")
    counts = np.bincount(places)
    before = np.concatenate([[0], counts.cumsum()[:-1]])
    rank = np.empty(len(places), dtype=int)
    rank[order] = np.arange(len(places)) - before[places[order]]  # within its bin
    steps = np.where(rank % 2 == 0, rank, -rank - 1) / 2.0
    step: float = min(0.08, ROOM / max(1.0, float(np.abs(steps).max())))
    return np.asarray(steps * step)


def value_shades(values: NDArray[Any]) -> NDArray[Any] | None:
    """Scale values to 0 to 1, the outer ones clipped; None for a feature without values."""
    if np.isnan(values).any():
        return None
    low, high = np.percentile(values, [LOW, HIGH])
    if low == high:  # as of a column that is 0 for nearly all
        low, high = values.min(), values.max()
    if low == high:
        return np.full(len(values), 0.5)
    return np.asarray(((values - low) / (high - low)).clip(0, 1))


def _figure(
    features: Sequence[FeatureImportance], title: str, row: float
) -> tuple["Figure", "Axes"]:
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(WIDTH, HEAD + row * len(features)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(fill(title, TITLE_LETTERS), fontsize=9, loc="left")
    names = [fill(f.name, NAME_LETTERS) for f in features]
    axes.set_yticks(range(len(features)), names, fontsize=8)
    axes.set_ylim(len(features) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=LINES, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure, axes


def _whiskers(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return means and the lengths of their lines to both sides; none without intervals."""
    x = np.array([one.mean for one in estimates])
    ends = [one.interval for one in estimates]
    if not all(ends):
        return {"x": x, "xerr": None}
    low, high = (np.array([getattr(end, side) for end in ends]) for side in ("low", "high"))
    return {"x": x, "xerr": np.maximum(0, [x - low, high - x])}
