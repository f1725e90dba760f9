"""Sanity checks: compute relevance again for other weights, another class, or noisy inputs."""
