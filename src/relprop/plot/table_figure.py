"""Features of samples as a figure: signed bars, or a waterfall from zero to their sum.

Takes named numbers. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..support.extras import needs
from ..support.figures import as_written
from ..support.number_text import number_text
from .tables import Columns, Feature
from .view import BatchView, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The ends of the colours of relevance, readable on white by colour-blind readers, too.
FOR, AGAINST, LINES = "#b2182b", "#2166ac", "#1d2126"
ROW, WIDTH, HEAD = 0.26, 5.0, 0.9  # inches: a feature, a sample, its title and axis
LINE = 0.16  # inches: each further line of a title
NAME_LETTER, TITLE_LETTER = 0.062, 0.08  # inches: as wide as letters are
LEAST_LETTERS = 20  # of a line of a title, however long the names beside it


def table_figure(
    view: BatchView,
    columns: Columns,
    count: int,
    waterfall: bool,
    values: Sequence[Mapping[str, str]] = (),
) -> "Figure":
    """Draw the features of the largest |relevance| of each sample.

    Args:
        view: The samples.
        columns: What their entries are called.
        count: How many features of each; the others are one bar.
        waterfall: Whether each bar begins where the one before ends, and the last is their sum.
        values: Of each sample, name of a feature -> what is shown in place of the input's number.
    """
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    known = values or [{}] * len(view.samples)
    listed = [
        columns.largest(one.input, one.relevance, count, shown)
        for one, shown in zip(view.samples, known, strict=True)
    ]
    rows = max(map(len, listed)) + waterfall
    names = [len(_name(feature)) for features in listed for feature in features]
    letters = max(LEAST_LETTERS, int((WIDTH - NAME_LETTER * max(names)) / TITLE_LETTER))
    titles = [title(view, sample, letters) for sample in view.samples]
    further = max(text.count("\n") for text in titles)
    size = (WIDTH, len(listed) * (HEAD + LINE * further + ROW * rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(listed), 1, squeeze=False)[:, 0]
    for text, features, axes in zip(titles, listed, grid, strict=True):
        axes.set_title(text, fontsize=9, loc="left")
        _draw_bars(axes, features, waterfall)
    return as_written(figure)


def _name(feature: Feature) -> str:
    return f"{feature.name} = {feature.value}" if feature.value else feature.name


def _draw_bars(axes: "Axes", features: Sequence[Feature], waterfall: bool) -> None:
    names = [_name(feature) for feature in features]
    values = [f.relevance for f in features]
    starts = [0.0] * len(values)
    if waterfall:
        starts = [sum(values[:i]) for i in range(len(values))]
        names, values, starts = [*names, "sum"], [*values, sum(values)], [*starts, 0.0]
    colours = [FOR if value >= 0 else AGAINST for value in values]
    axes.barh(range(len(values)), values, left=starts, height=0.75, color=colours)
    for i, (start, value) in enumerate(zip(starts, values, strict=True)):
        offset = (3 if value >= 0 else -3, 0)
        side = "left" if value >= 0 else "right"
        axes.annotate(
            number_text(value, sign="+"),
            (start + value, i),
            xytext=offset,
            textcoords="offset points",
            va="center",
            ha=side,
            fontsize=7,
        )
    axes.axvline(0, color=LINES, linewidth=0.8)
    axes.use_sticky_edges = False  # so that the margins hold the numbers beside the bars
    axes.margins(x=0.15)
    axes.set_yticks(range(len(values)), names, fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="x", labelsize=7)
    axes.set_xlabel("relevance", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
