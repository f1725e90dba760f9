"""Compares models of the same data: how good, how large, how faithful, how sparse, how alike."""
