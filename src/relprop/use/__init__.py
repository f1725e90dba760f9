"""What relevance is for: features that are worth keeping, and training.

Names are imported at their first use, so that each needs the packages of its own part only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .augmentation import RelevanceDrop, RelevanceMix, RelevancePenalty
    from .augmentation.callback import RelevanceDropCallback
    from .selection import FeatureRanking, RelevanceSelector, select_features

__all__ = [
    "FeatureRanking",
    "RelevanceDrop",
    "RelevanceDropCallback",
    "RelevanceMix",
    "RelevancePenalty",
    "RelevanceSelector",
    "select_features",
]

_FOLDERS = {
    "FeatureRanking": "selection",
    "RelevanceDrop": "augmentation",
    "RelevanceDropCallback": "augmentation.callback",
    "RelevanceMix": "augmentation",
    "RelevancePenalty": "augmentation",
    "RelevanceSelector": "selection",
    "select_features": "selection",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _FOLDERS:
        return getattr(import_module(f".{_FOLDERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
