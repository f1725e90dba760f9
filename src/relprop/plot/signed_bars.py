"""Numbers as bars to both sides of zero, for HTML.

Takes features with their relevance. Gives bars with their place in per cent. Must not know pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..support.number_text import number_text
from .tables import Feature


@dataclass(frozen=True)
class SignedBar:
    """A signed bar; `start` and `width` are percentages of the room that all bars share."""

    name: str
    value: str
    start: float
    width: float
    positive: bool


def feature_bars(features: Sequence[Feature], waterfall: bool) -> list[SignedBar]:
    """Make bars whose starts and widths are relevance.

    Args:
        features: Features with their relevance.
        waterfall: Whether each bar begins where the one before ends; the last one is their sum.
    """
    names = [f"{f.name} = {f.value}" if f.value else f.name for f in features]
    values = np.array([f.relevance for f in features])
    starts = np.zeros(len(values))
    if waterfall:
        starts = np.concatenate([[0], values.cumsum()[:-1], [0]])
        names, values = [*names, "sum"], np.append(values, values.sum())
    lower = np.minimum(starts, starts + values)
    return [
        SignedBar(
            name, number_text(value, sign="+"), float(start), abs(float(value)), bool(value >= 0)
        )
        for name, value, start in zip(names, values, lower, strict=True)
    ]


def on_one_scale(listed: Sequence[Sequence[SignedBar]]) -> list[list[SignedBar]]:
    """Make starts and widths percentages of a room for the bars of all samples, and for zero."""
    every = [bar for bars in listed for bar in bars]
    low = min([0.0, *(bar.start for bar in every)])
    room = max([0.0, *(bar.start + bar.width for bar in every)]) - low or 1.0
    return [
        [replace(b, start=100 * (b.start - low) / room, width=100 * b.width / room) for b in bars]
        for bars in listed
    ]
