"""The ledger as a figure: one bar for each operation.

Takes numbers and labels. Gives a matplotlib Figure, without pyplot and its global state.
Must not know ledgers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import rcParams
from matplotlib.figure import Figure

from ..support.figures import as_written

# Okabe and Ito's palette, which colour-blind readers can tell apart.
PASSED_ON = "#9aa3ad"
_COLOURS = ("#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
ROW, WIDTH, MARGIN = 0.22, 8.0, 1.3  # inches


@dataclass(frozen=True)
class Bar:
    """One operation; numbers are shares of the initial relevance.

    Attributes:
        label: Module and operation.
        passed_on: Relevance out of the operation.
        absorbed: Cause -> relevance that the operation absorbed.
    """

    label: str
    passed_on: float
    absorbed: Mapping[str, float]


def draw_bars(bars: Sequence[Bar], initial: float, causes: Sequence[str]) -> Figure:
    """Draw stacked bars, the output at the top; shares below zero go to the left.

    Args:
        bars: One for each operation, from the output to the input.
        initial: Where to mark the initial relevance: 1, or -1 where it is negative.
        causes: Causes of absorption, in the order of the legend.
    """
    figure = Figure(figsize=(WIDTH, MARGIN + ROW * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    positions = range(len(bars))
    ends = {True: [0.0] * len(bars), False: [0.0] * len(bars)}
    series = [("passed on", PASSED_ON, [bar.passed_on for bar in bars])]
    series += [
        (f"absorbed: {cause}", colour, [bar.absorbed.get(cause, 0.0) for bar in bars])
        for cause, colour in zip(causes, _COLOURS[: len(causes)], strict=True)
    ]
    for label, colour, values in series:
        starts = [ends[v >= 0][i] for i, v in enumerate(values)]
        axes.barh(positions, values, left=starts, height=0.8, color=colour, label=label)
        for i, value in enumerate(values):
            ends[value >= 0][i] += value
    lines = rcParams["text.color"]
    axes.axvline(initial, color=lines, linewidth=0.8, linestyle="--")
    axes.axvline(0, color=lines, linewidth=0.8)
    axes.use_sticky_edges = False  # so that the margin shows the dashed line beside the bars
    axes.margins(x=0.04)
    axes.set_yticks(positions, [bar.label for bar in bars], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("relevance, as a share of the initial relevance (dashed)")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return as_written(figure)
