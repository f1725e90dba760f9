"""Training with relevance: its regions masked or mixed, and relevance outside a mask punished."""

from .drop import RelevanceDrop
from .mix import RelevanceMix
from .penalty import RelevancePenalty

__all__ = ["RelevanceDrop", "RelevanceMix", "RelevancePenalty"]
