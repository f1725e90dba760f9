"""The ledger as a figure: one bar for each operation.

Takes numbers and labels. Gives a matplotlib Figure: no pyplot, no state that outlives a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
GIVEN, COLOURS = "#9aa3ad", ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
ROW, WIDTH, MARGIN = 0.22, 8.0, 1.3  # inches


@dataclass(frozen=True)
class Bar:
    """One operation: what it gave and absorbed, by cause, as shares of the seed."""

    label: str
    given: float
    absorbed: Mapping[str, float]


def bars(rows: Sequence[Bar], seed: float, causes: Sequence[str]) -> Figure:
    """A figure of the ledger, the output at the top. Shares below zero go to the left."""
    figure = Figure(figsize=(WIDTH, MARGIN + ROW * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    ends = {True: [0.0] * len(rows), False: [0.0] * len(rows)}
    named = [("given on", GIVEN, [row.given for row in rows])]
    named += [
        (f"absorbed: {cause}", colour, [row.absorbed.get(cause, 0.0) for row in rows])
        for cause, colour in zip(causes, COLOURS, strict=True)
    ]
    for label, colour, values in named:
        starts = [ends[v >= 0][i] for i, v in enumerate(values)]
        axes.barh(places, values, left=starts, height=0.8, color=colour, label=label)
        for i, value in enumerate(values):
            ends[value >= 0][i] += value
    axes.axvline(seed, color="#1d2126", linewidth=0.8, linestyle="--")
    axes.axvline(0, color="#1d2126", linewidth=0.8)
    axes.set_yticks(places, [row.label for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("relevance, as a share of the seed (dashed)")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return figure
