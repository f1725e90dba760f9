"""Recipes assign rules to operations: recipe, selectors, presets, and the text form."""
