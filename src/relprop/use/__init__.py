"""What relevance is for: features that are worth keeping, channels that are not.

Names are imported at their first use, so that each needs the packages of its own part only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pruning import PrunedLayer, PrunedModel, Size, prune
    from .selection import FeatureRanking, RelevanceSelector, select_features

__all__ = [
    "FeatureRanking",
    "PrunedLayer",
    "PrunedModel",
    "RelevanceSelector",
    "Size",
    "prune",
    "select_features",
]

_FOLDERS = {
    "FeatureRanking": "selection",
    "PrunedLayer": "pruning",
    "PrunedModel": "pruning",
    "RelevanceSelector": "selection",
    "Size": "pruning",
    "prune": "pruning",
    "select_features": "selection",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _FOLDERS:
        return getattr(import_module(f".{_FOLDERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
