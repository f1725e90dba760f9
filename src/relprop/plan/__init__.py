"""A graph and a recipe become a plan: what happens to relevance at every operation."""
