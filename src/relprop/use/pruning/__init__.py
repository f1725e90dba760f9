"""Channels without relevance removed, and layers described by their relevance."""

from ...explanation.layer_use import LayerUse, Utilisation, utilisation
from .channels import prune_channels
from .finetuning import finetune
from .record import ModelSize, PrunedLayer, PrunedModel

__all__ = [
    "LayerUse",
    "ModelSize",
    "PrunedLayer",
    "PrunedModel",
    "Utilisation",
    "finetune",
    "prune_channels",
    "utilisation",
]
