"""Matplotlib figures: their texts as they are written, and the bytes of a file.

Takes a figure. Gives the figure, or PNG or SVG bytes. Must not know what the figure shows.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200


def as_written(figure: Figure) -> Figure:
    """Show the texts of a figure as they are written, and return it.

    Matplotlib would read what is between two "$" as a formula, and fails where it is none: names
    of columns and classes are the user's. Numbers on axes are left to matplotlib.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter, ScalarFormatter

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), (LogFormatter, ScalarFormatter)):
            for label in axis.get_ticklabels():
                label.set_parse_math(True)
            axis.get_offset_text().set_parse_math(True)
    return figure


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Encode a figure as PNG or SVG; equal figures give equal bytes."""
    from matplotlib import rc_context

    buffer = BytesIO()
    no_stamp = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "relprop"}):  # else the ids in an SVG are random
        figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, metadata=no_stamp)
    return buffer.getvalue()
