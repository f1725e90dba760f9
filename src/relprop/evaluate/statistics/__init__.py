"""Estimates with confidence intervals, a paired test, and error rates of predictions."""
