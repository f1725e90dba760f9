"""What relevance is for: features worth keeping, training, channels that are not worth keeping.

Names are imported at their first use, so that each needs the packages of its own part only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .augmentation import RelevanceDrop, RelevanceMix, RelevancePenalty
    from .augmentation.callback import RelevanceDropCallback
    from .pruning import (
        LayerUse,
        ModelSize,
        PrunedLayer,
        PrunedModel,
        Utilisation,
        finetune,
        prune_channels,
        utilisation,
    )
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
    "LayerUse",
    "ModelSize",
    "PrunedLayer",
    "PrunedModel",
    "RelevanceDrop",
    "RelevanceDropCallback",
    "RelevanceMix",
    "RelevancePenalty",
    "RelevanceSelector",
    "Utilisation",
    "accuracy_over_k",
    "finetune",
    "prune_channels",
    "select_features",
    "utilisation",
]

_FOLDERS = {
    **dict.fromkeys(("AccuracyOverK", "FeatureRanking", "RelevanceSelector"), "selection"),
    **dict.fromkeys(("accuracy_over_k", "select_features"), "selection"),
    **dict.fromkeys(("RelevanceDrop", "RelevanceMix", "RelevancePenalty"), "augmentation"),
    "RelevanceDropCallback": "augmentation.callback",
    **dict.fromkeys(
        ("LayerUse", "PrunedLayer", "PrunedModel", "ModelSize", "Utilisation"), "pruning"
    ),
    **dict.fromkeys(("finetune", "prune_channels", "utilisation"), "pruning"),
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _FOLDERS:
        return getattr(import_module(f".{_FOLDERS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
