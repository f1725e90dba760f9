"""Estimates with confidence intervals, paired tests, and rates of classification."""
