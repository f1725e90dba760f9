"""Figures of a bundle's report: how training went, what is confused, and whether it is calibrated.

Takes plain numbers. Gives matplotlib Figures, without pyplot and its global state.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ..bundles.content import CurvePoint
from ..support.extras import needs
from ..support.figures import as_written
from .measures import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Readable on white and on dark grounds, and for colour-blind readers: Okabe and Ito 2008.
TRAINING, CHECKED, EVEN = "#d55e00", "#0072b2", "#888888"
MOST_LETTERED = 20  # classes of a confusion matrix whose counts are written
_NAME_LETTERS = 14
_UPRIGHT = 4  # letters of a name that fit below its column


def training_figure(points: Sequence[CurvePoint], score_name: str) -> "Figure":
    """Draw the losses and the validation score of a training over its epochs.

    Args:
        points: Checks of the training; of several members each has its own line.
        score_name: What the score is.
    """
    figure = _figure(8.0, 3.2)
    losses, scores = figure.subplots(1, 2)
    for member in sorted({point.member for point in points}):
        own = [point for point in points if point.member == member]
        epochs = [point.epoch for point in own]
        first = member == points[0].member
        for values, colour, line, label in (
            ([point.train_loss for point in own], TRAINING, "--", "training"),
            ([point.loss for point in own], CHECKED, "-", "validation"),
        ):
            _line(losses, epochs, values, colour, line, label if first else "")
        _line(scores, epochs, [p.score for p in own], CHECKED, "-", "")
    losses.set_ylabel("loss")
    scores.set_ylabel(f"validation {score_name}")
    if losses.get_legend_handles_labels()[1]:
        losses.legend(frameon=False, fontsize=8)
    for axes in (losses, scores):
        axes.set_xlabel("epoch")
        _plain(axes)
    return as_written(figure)


def _line(
    axes: "Axes",
    epochs: Sequence[float],
    values: Sequence[float | None],
    colour: str,
    line: str,
    label: str,
) -> None:
    known = [(x, y) for x, y in zip(epochs, values, strict=True) if y is not None]
    if known:
        x, y = zip(*known, strict=True)
        marker = "o" if len(known) == 1 else ""
        axes.plot(x, y, color=colour, linestyle=line, linewidth=1.3, label=label, marker=marker)


def confusion_figure(confusion: Tensor, names: Sequence[str]) -> "Figure":
    """Draw a confusion matrix (k, k): the share of each class, by what is predicted."""
    k = len(names)
    side = min(9.0, 2.2 + 0.42 * k)
    figure = _figure(side, side)
    axes = figure.subplots()
    shares = confusion.double() / confusion.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="cividis", vmin=0, vmax=1)
    if k <= MOST_LETTERED:
        for i in range(k):
            for j in range(k):
                ink = "black" if shares[i, j] > 0.5 else "white"
                text = f"{int(confusion[i, j])}"
                axes.text(j, i, text, ha="center", va="center", fontsize=7, color=ink)
        short = [shorten(name) for name in names]
        upright = max(map(len, short)) > _UPRIGHT
        axes.set_xticks(range(k), short, rotation=90 if upright else 0, fontsize=8)
        axes.set_yticks(range(k), short, fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return as_written(figure)


def shorten(name: str) -> str:
    """Cut a long name, and show that it was cut.

    Example:
        >>> shorten("iris versicolor of 1936"), shorten("iris setosa")
        ('iris versicol…', 'iris setosa')
    """
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}…"


def calibration_figure(measured: Calibration) -> "Figure":
    """Draw a reliability diagram: the share of predictions that hold, over their probability."""
    figure = _figure(4.4, 3.8)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=EVEN, linestyle=":", linewidth=1.2, label="calibrated")
    x = [one.confidence for one in measured.bins]
    y = [one.right.value for one in measured.bins]
    low = [max(0.0, one.right.value - one.right.interval.low) for one in measured.bins]
    high = [max(0.0, one.right.interval.high - one.right.value) for one in measured.bins]
    axes.errorbar(
        *(x, y, [low, high]),
        color=CHECKED,
        marker="o",
        markersize=4,
        linewidth=1.3,
        capsize=2,
        label="predictions, 95 % interval",
    )
    axes.set_xlabel("probability of the prediction")
    axes.set_ylabel("share that holds")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _plain(axes)
    return as_written(figure)


def value_figure(predicted: Tensor, true: Tensor, name: str) -> "Figure":
    """Draw predicted values over true ones, each (n,)."""
    figure = _figure(4.4, 4.0)
    axes = figure.subplots()
    ends = [float(min(predicted.min(), true.min())), float(max(predicted.max(), true.max()))]
    axes.plot(ends, ends, color=EVEN, linestyle=":", linewidth=1.2)
    size = 10 if len(true) <= 500 else 3
    axes.scatter(
        true.tolist(),
        predicted.tolist(),
        s=size,
        color=CHECKED,
        alpha=0.5,
        linewidths=0,
        rasterized=True,
    )
    axes.set_xlabel(f"true {name}")
    axes.set_ylabel(f"predicted {name}")
    _plain(axes)
    return as_written(figure)


def _figure(width: float, height: float) -> "Figure":
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def _plain(axes: "Axes") -> None:
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
