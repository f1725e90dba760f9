"""What relevance is for: features that are worth keeping, channels that are not.

Names are imported at their first use, so that each needs the packages of its own part only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pruning import (
        LayerUse,
        PrunedLayer,
        PrunedModel,
        Size,
        Utilisation,
        finetune,
        prune,
        utilisation,
    )
    from .selection import FeatureRanking, RelevanceSelector, select_features

__all__ = [
    "FeatureRanking",
    "LayerUse",
    "PrunedLayer",
    "PrunedModel",
    "RelevanceSelector",
    "Size",
    "Utilisation",
    "finetune",
    "prune",
    "select_features",
    "utilisation",
]

_FOLDERS = {
    "FeatureRanking": "selection",
    "LayerUse": "pruning",
    "PrunedLayer": "pruning",
    "PrunedModel": "pruning",
    "RelevanceSelector": "selection",
    "Size": "pruning",
    "Utilisation": "pruning",
    "finetune": "pruning",
    "prune": "pruning",
    "select_features": "selection",
    "utilisation": "pruning",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _FOLDERS:
        return getattr(import_module(f".{_FOLDERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
