"""Channels without relevance removed, and layers described by their relevance."""

from .finetune import finetune
from .prune import PrunedLayer, PrunedModel, Size, prune
from .utilisation import LayerUse, Utilisation, utilisation

__all__ = [
    "LayerUse",
    "PrunedLayer",
    "PrunedModel",
    "Size",
    "Utilisation",
    "finetune",
    "prune",
    "utilisation",
]
