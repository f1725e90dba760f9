"""Measures of relevance maps alone: similarity, concentration, localisation."""
