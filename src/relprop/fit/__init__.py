"""Searches, trains and tests networks for a data set within a budget."""
