"""Similarity of two relevances of the same samples.

Takes two tensors of one shape. Must not know where they came from.

n  samples      d  features of one sample
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Similarity:
    """How alike two relevances of each sample are, in [-1, 1]; 1 for the same, 0 for unrelated.

    spearman  (n,) of the order of features; NaN where one of the two is constant
    cosine    (n,) of the direction; NaN where one of the two is zero everywhere
    """

    spearman: Tensor
    cosine: Tensor


def similarity(first: Tensor, second: Tensor) -> Similarity:
    """Compare relevances (n, *features), signed as they are. On the CPU, in float64."""
    if first.shape != second.shape:
        raise InputError(
            f"relevances of shape {tuple(first.shape)} and {tuple(second.shape)}",
            "the same shape",
            "return relevance of one shape at every call",
        )
    return Similarity(spearman(first, second).cpu(), cosine(first, second).cpu())


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of each sample, (n,): rho = cos(r - mean r, s - mean s).

    r and s are the ranks of the d features in each relevance, equal ones sharing their mean rank.
    Source: Spearman 1904.
    """
    r, s = (average_ranks(relevance) for relevance in (first, second))
    middle = (r.shape[1] + 1) / 2
    return cosine(r - middle, s - middle)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """cos(a, b) = a.b / (|a| |b|) of each sample, (n,)."""
    return (_unit(first) * _unit(second)).sum(1)


def _unit(values: Tensor) -> Tensor:
    flat = values.flatten(1).double()
    length: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    return flat / length


def average_ranks(values: Tensor) -> Tensor:
    """Ranks 1 to d of each sample's features, smallest first, ties at their mean rank: (n, d)."""
    ordered, order = values.flatten(1).sort(1)
    places = torch.arange(order.shape[1], device=order.device)
    opens = torch.ones_like(order, dtype=torch.bool)  # whether a place is the first of equal ones
    opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    closes = opens.roll(-1, 1)
    first = places.where(opens, 0).cummax(1).values
    last = places.where(closes, len(places)).flip(1).cummin(1).values.flip(1)
    ranks = (first + last).double() / 2 + 1
    return torch.empty_like(ranks).scatter_(1, order, ranks)
