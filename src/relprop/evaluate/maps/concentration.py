"""Concentration: on how few features relevance lies, whether or not that is where it belongs.

Takes relevance alone. Both measures look at its size |R|, not its sign, and not at its scale.

n  samples      d  features of one sample
"""

import math

import torch
from torch import Tensor

from ...errors import InputError


def sparseness(relevance: Tensor) -> Tensor:
    """Gini index of each sample, (n,): G = sum_k (2 k - d - 1) v_k / (d sum_k v_k).

    relevance  (n, *features); v_1 <= ... <= v_d are the sizes |R| of a sample
    0 where all are equal, 1 - 1/d where one has everything; NaN where all are zero.
    Source: Chalasani et al. 2020, with the index of Hurley and Rickard 2009.
    """
    ordered = _sizes(relevance).sort(1).values
    d = ordered.shape[1]
    weights = 2 * torch.arange(1, d + 1, device=ordered.device) - d - 1
    return (weights * ordered).sum(1).div(d * ordered.sum(1)).cpu()


def complexity(relevance: Tensor) -> Tensor:
    """Entropy of each sample, (n,), in nats: H = - sum_i p_i ln p_i, p_i = |R_i| / sum_j |R_j|.

    relevance  (n, *features)
    ln d where all are equal, 0 where one has everything; NaN where all are zero.
    Source: Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations".
    """
    sizes = _sizes(relevance)
    p = sizes / sizes.sum(1, keepdim=True)
    terms: Tensor = torch.special.entr(p)  # - p ln p, and 0 at 0
    return terms.sum(1).cpu()


def _sizes(relevance: Tensor) -> Tensor:
    """|R|, (n, d), divided by the largest of each sample, so that no sum overflows."""
    check_finite_relevance(relevance)
    sizes = relevance.detach().flatten(1).double().abs()
    largest = sizes.amax(1, keepdim=True)
    return (sizes / largest).masked_fill(largest == 0, math.nan)


def check_finite_relevance(relevance: Tensor) -> None:
    """InputError unless relevance is a tensor (n, *features) of finite numbers."""
    tensor = isinstance(relevance, Tensor)
    if not tensor or relevance.ndim < 2 or not bool(relevance.isfinite().all()):
        shape = f"shape {tuple(relevance.shape)}, or not finite" if tensor else ""
        raise InputError(
            f"relevance of {shape or f'type {type(relevance).__name__}'}",
            "a tensor (n, *features) of finite numbers",
            "give relevance of a batch, of an explanation its .relevance",
        )
