"""Similarity of two relevance maps of the same samples.

Takes two tensors of one shape. Must not know where they come from.

n  samples      d  features of one sample
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Similarity:
    """How similar two relevance maps of each sample are, in [-1, 1]: 1 equal, 0 unrelated.

    Attributes:
        spearman: Rank correlation of the features, (n,); NaN where a map is constant.
        cosine: Cosine similarity, (n,); NaN where a map is zero everywhere.
    """

    spearman: Tensor
    cosine: Tensor


def similarity(first: Tensor, second: Tensor) -> Similarity:
    """Compare two relevance maps of each sample by rank and by direction.

    Args:
        first: Relevance, (n, *features); its sign counts.
        second: Relevance of the same shape.

    Returns:
        Both similarities, (n,), in float64 on the CPU.

    Raises:
        InputError: The shapes differ.

    Example:
        >>> import torch
        >>> from relprop.evaluate import similarity
        >>> first = torch.tensor([[1.0, 2.0, 3.0]])
        >>> round(similarity(first, first**3).spearman.item(), 6)  # the same order
        1.0

    Sources: Spearman 1904; Adebayo et al. 2018, "Sanity checks for saliency maps", for its use.
    """
    for relevance in (first, second):
        if not isinstance(relevance, Tensor):
            raise InputError(
                f"relevance of type {type(relevance).__name__}",
                "two tensors (n, *features)",
                "pass relevance of a batch, such as an explanation's .relevance",
            )
    if first.shape != second.shape:
        raise InputError(
            f"relevances of shape {tuple(first.shape)} and {tuple(second.shape)}",
            "the same shape",
            "return relevance of one shape at every call",
        )
    return Similarity(spearman(first, second).cpu(), cosine(first, second).cpu())


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Compute Spearman's rank correlation of each sample, (n,).

    rho = cos(r - mean r, s - mean s), r and s the ranks of the d features, ties at their mean rank
    """
    r, s = (average_ranks(relevance) for relevance in (first, second))
    mean_rank = (r.shape[1] + 1) / 2
    return cosine(r - mean_rank, s - mean_rank)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Compute cos(a, b) = a.b / (|a| |b|) of each sample, (n,)."""
    return (_unit(first) * _unit(second)).sum(1)


def _unit(values: Tensor) -> Tensor:
    flat = values.flatten(1).double()
    length: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    return flat / length


def average_ranks(values: Tensor) -> Tensor:
    """Rank each sample's features from 1 to d, smallest first, ties at their mean rank: (n, d)."""
    ascending, order = values.flatten(1).sort(1)
    positions = torch.arange(order.shape[1], device=order.device)
    # Equal values stand next to each other after sorting. Each run of them has a first and a last
    # position; the mean rank of the run is the mean of the two, counted from 1.
    starts_run = torch.ones_like(order, dtype=torch.bool)
    starts_run[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    ends_run = starts_run.roll(-1, 1)
    first = positions.where(starts_run, 0).cummax(1).values
    last = positions.where(ends_run, len(positions)).flip(1).cummin(1).values.flip(1)
    ranks = (first + last).double() / 2 + 1
    return torch.empty_like(ranks).scatter_(1, order, ranks)
