"""Features ranked by relevance, the best of them kept, and how good models of them are."""

from .accuracy import AccuracyOverK
from .over_k import accuracy_over_k
from .ranking import FeatureRanking
from .selector import RelevanceSelector, select_features

__all__ = [
    "AccuracyOverK",
    "FeatureRanking",
    "RelevanceSelector",
    "accuracy_over_k",
    "select_features",
]
