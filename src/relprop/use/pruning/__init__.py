"""Channels without relevance removed, and layers described by their relevance."""

from .prune import PrunedLayer, PrunedModel, Size, prune

__all__ = ["PrunedLayer", "PrunedModel", "Size", "prune"]
