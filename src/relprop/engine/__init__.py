"""The engine: a model is captured as a graph, planned by a recipe, and run there and back."""
