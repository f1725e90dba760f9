"""Tuning: the recipe by which a model's relevance is most faithful, found by search."""
