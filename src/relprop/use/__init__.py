"""What relevance is for: features that are worth keeping.

Names are imported at their first use, so that each needs the packages of its own part only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .selection import (
        AccuracyOverK,
        FeatureRanking,
        RelevanceSelector,
        accuracy_over_k,
        select_features,
    )

__all__ = [
    "AccuracyOverK",
    "FeatureRanking",
    "RelevanceSelector",
    "accuracy_over_k",
    "select_features",
]

_FOLDERS = {
    "AccuracyOverK": "selection",
    "FeatureRanking": "selection",
    "RelevanceSelector": "selection",
    "accuracy_over_k": "selection",
    "select_features": "selection",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _FOLDERS:
        return getattr(import_module(f".{_FOLDERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
