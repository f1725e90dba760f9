"""What relevance is for: features that are worth keeping."""

from .ranking import FeatureRanking
from .selector import RelevanceSelector, select_features

__all__ = ["FeatureRanking", "RelevanceSelector", "select_features"]
