"""Searches networks for a data set, within a budget: what `relprop fit` and `relprop.fit` do."""
