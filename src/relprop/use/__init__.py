"""What relevance is for: features that are worth keeping."""

from .selector import RelevanceSelector, select_features

__all__ = ["RelevanceSelector", "select_features"]
