"""Distances between two sets of points, from operations that torch can differentiate twice."""

import torch
from torch import Tensor


def plain_distances(
    first: Tensor, second: Tensor, p: float = 2.0, compute_mode: int | None = None
) -> Tensor:
    """Compute the p-norm of each difference, as torch.cdist does.

    Args:
        first: Points, (..., n, features).
        second: Points, (..., m, features).
        p: Which norm.
        compute_mode: How torch.cdist computes it; here there is one way.

    Returns:
        Distances, (..., n, m).
    """
    distances: Tensor = torch.linalg.vector_norm(first.unsqueeze(-2) - second.unsqueeze(-3), p, -1)
    return distances
