"""Sanity checks: ask a method again with other weights, another class, or noise."""
