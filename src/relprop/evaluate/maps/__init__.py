"""Measures of relevance maps alone."""
