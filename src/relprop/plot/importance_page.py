"""The importance of features as HTML: a table with bars and intervals, light and dark.

Takes named numbers. Gives a fragment that loads nothing from elsewhere. Must not know files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..support.number_text import number_text
from .html import environment
from .importance import FeatureImportance

LARGEST = 50  # features that are shown, those of the largest mean |R|


@dataclass(frozen=True)
class ImportanceRow:
    """A feature and its bar, in percentages of the room that all bars share.

    Attributes:
        feature: The feature.
        width: Of its bar.
        line: Start and width of its interval; None without one.
    """

    feature: FeatureImportance
    width: float
    line: tuple[float, float] | None


def importance_fragment(features: Sequence[FeatureImportance], summary: str) -> str:
    """Render the most important features.

    Args:
        features: All features, the most important first.
        summary: What the numbers are.
    """
    shown = features[:LARGEST]
    ends = [f.mean_absolute.interval for f in shown]
    highest = [end.high if end else 0.0 for end in ends]
    room = max(*highest, shown[0].mean_absolute.mean) or 1.0
    rows = [
        ImportanceRow(
            feature,
            100 * feature.mean_absolute.mean / room,
            (100 * end.low / room, 100 * (end.high - end.low) / room) if end else None,
        )
        for feature, end in zip(shown, ends, strict=True)
    ]
    template = environment("relprop.plot").get_template("importance.html")
    return template.render(
        rows=rows, summary=summary, more=len(features) - len(shown), number=number_text
    )
