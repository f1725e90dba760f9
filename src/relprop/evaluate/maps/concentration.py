"""Concentration: whether relevance lies on few features or on many, right or wrong ones.

Takes relevance alone. Both measures depend on its size |R| only, not on its sign or scale.

n  samples      d  features of one sample
"""

import math

import torch
from torch import Tensor

from ...errors import InputError


def sparseness(relevance: Tensor) -> Tensor:
    """Compute the Gini index of |R| for each sample.

    G = sum_k (2 k - d - 1) v_k / (d sum_k v_k), with the sizes |R| sorted: v_1 <= ... <= v_d

    Args:
        relevance: Relevance, (n, *features), finite.

    Returns:
        (n,), on the CPU: 0 where all sizes are equal, 1 - 1/d where one feature has everything,
        NaN where all are zero.

    Raises:
        InputError: Relevance is not a tensor (n, *features) of finite numbers.

    Example:
        >>> import torch
        >>> from relprop.evaluate import sparseness
        >>> sparseness(torch.tensor([[1.0, -1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 0.0]])).tolist()
        [0.0, 0.75]

    Sources: Chalasani et al. 2020, "Concise explanations of neural networks using adversarial
    training"; the index in the form of Hurley and Rickard 2009.
    """
    ascending = _sizes(relevance).sort(1).values
    d = ascending.shape[1]
    weights = 2 * torch.arange(1, d + 1, device=ascending.device) - d - 1
    return (weights * ascending).sum(1).div(d * ascending.sum(1)).cpu()


def complexity(relevance: Tensor) -> Tensor:
    """Compute the entropy of |R| for each sample, in nats.

    H = - sum_i p_i ln p_i, with p_i = |R_i| / sum_j |R_j|

    Args:
        relevance: Relevance, (n, *features), finite.

    Returns:
        (n,), on the CPU: ln d where all sizes are equal, 0 where one feature has everything, NaN
        where all are zero.

    Raises:
        InputError: Relevance is not a tensor (n, *features) of finite numbers.

    Example:
        >>> import torch
        >>> from relprop.evaluate import complexity
        >>> round(complexity(torch.tensor([[1.0, -1.0, 0.0]])).item(), 4)  # ln 2
        0.6931

    Source: Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations".
    """
    sizes = _sizes(relevance)
    p = sizes / sizes.sum(1, keepdim=True)
    terms: Tensor = torch.special.entr(p)  # - p ln p, and 0 at 0
    return terms.sum(1).cpu()


def _sizes(relevance: Tensor) -> Tensor:
    """Return |R|, (n, d), divided by the largest of each sample, so that no sum overflows."""
    check_finite_relevance(relevance)
    sizes = relevance.detach().flatten(1).double().abs()
    largest = sizes.amax(1, keepdim=True)
    return (sizes / largest).masked_fill(largest == 0, math.nan)


def check_finite_relevance(relevance: Tensor) -> None:
    """Raise InputError unless relevance is a tensor (n, *features) of finite numbers."""
    tensor = isinstance(relevance, Tensor)
    if not tensor or relevance.ndim < 2 or not bool(relevance.isfinite().all()):
        shape = f"shape {tuple(relevance.shape)}, or not finite" if tensor else ""
        raise InputError(
            f"relevance of {shape or f'type {type(relevance).__name__}'}",
            "a tensor (n, *features) of finite numbers",
            "pass relevance of a batch, such as an explanation's .relevance",
        )
