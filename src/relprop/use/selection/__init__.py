"""Features ranked by relevance, and the best of them kept."""

from .ranking import FeatureRanking
from .selector import RelevanceSelector, select_features

__all__ = ["FeatureRanking", "RelevanceSelector", "select_features"]
