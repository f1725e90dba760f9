"""Matplotlib figures as the bytes of a file.

Takes a figure. Gives PNG or SVG bytes. Must not know what the figure shows.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Encode a figure as PNG or SVG; equal figures give equal bytes."""
    from matplotlib import rc_context

    buffer = BytesIO()
    no_stamp = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "relprop"}):  # else the ids in an SVG are random
        figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, metadata=no_stamp)
    return buffer.getvalue()
