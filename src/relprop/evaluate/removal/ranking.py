"""Orders of removal: from relevance to which feature is removed first, second, last.

Takes relevance of any source, one number per feature. Must not know what a feature is.

n  samples      d  features of a sample      s  steps, so that a curve has s + 1 columns
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from ...errors import InputError

Order = Literal["morf", "lerf", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)


def ranking(relevance: Tensor, order: Order = "morf", *, seed: int = 0) -> Tensor:
    """Rank the features of each sample in the order in which they are to be removed.

    Equal relevance is common: blank pixels have exactly zero under most rules. Ties are broken at
    random, never by position, which would remove the upper rows of an image first.

    Args:
        relevance: Signed relevance of any source, (n, *features) with d features per sample.
        order: "morf" (most relevant first): highest signed relevance first. "lerf" (least relevant
            first): lowest first, so that what speaks against the class goes before what says
            nothing. "random": a random permutation per sample, of which relevance gives the shape
            alone.
        seed: Random seed of ties and of the random order; the same on every device.

    Returns:
        Feature indices, (n, d), first removed first. Each row is a permutation of 0 to d - 1.

    Raises:
        InputError: Relevance without a batch dimension or with NaN, or an unknown order.

    Example:
        >>> relevance = torch.tensor([[0.1, -0.5, 2.0]])
        >>> ranking(relevance).tolist()
        [[2, 0, 1]]
        >>> ranking(relevance, "lerf").tolist()
        [[1, 0, 2]]
    """
    check_relevance(relevance, order)
    flat = relevance.detach().flatten(1)
    # drawn on the CPU, so that a seed means the same on every device
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(flat.shape, generator=generator).to(flat.device).argsort(1)
    if order == "random":
        return shuffled
    # a stable sort of shuffled features leaves equal ones in shuffled, that is random, order
    values = flat.gather(1, shuffled)
    return shuffled.gather(1, values.argsort(dim=1, descending=order == "morf", stable=True))


def move_padding_last(order: Tensor, count: Tensor) -> Tensor:
    """Move the features that a sample does not have to the end of its order (n, d).

    A sample has `count`, (1,) or (n,), features; the numbers from there to d are padding.
    """
    padding = order >= count[:, None]
    return order.gather(1, padding.byte().argsort(dim=1, stable=True)) if padding.any() else order


def removal_columns(order: Tensor, counts: Tensor) -> Tensor:
    """Return the first column of a curve in which each feature is removed, (n, d).

    Features that are never removed have the number of columns, s + 1.

    Args:
        order: Feature indices, first removed first, (n, d).
        counts: How many features are removed in each column, rising from 0, (1 or n, s + 1).
    """
    places = torch.arange(order.shape[1], device=order.device).repeat(len(counts), 1)
    columns = torch.searchsorted(counts, places, right=True, out_int32=True)  # (1 or n, d)
    return torch.empty_like(order, dtype=torch.int32).scatter_(1, order, columns.expand_as(order))


def tie_count(relevance: Tensor, order: Tensor, count: Tensor) -> Tensor:
    """Count the features of each sample that share their relevance with another, (n,).

    Args:
        relevance: Relevance, (n, d).
        order: Feature indices by which relevance rises or falls, (n, d): ties are neighbours.
        count: Features that a sample has, (1,) or (n,); padding comes last in the order.
    """
    values = relevance.detach().gather(1, order)
    both_exist = torch.arange(1, order.shape[1], device=order.device) < count[:, None]
    same = (values[:, 1:] == values[:, :-1]) & both_exist
    edge = same.new_zeros(len(same), 1)
    return (torch.cat([same, edge], 1) | torch.cat([edge, same], 1)).sum(1)


def check_permutation(order: Tensor, samples: int, count: Tensor) -> None:
    """Raise InputError unless each row of an order (n, d) is a permutation of 0 to d - 1.

    d is the largest `count`, (1,) or (n,), of features that a sample has.
    """
    features = int(count.max())
    if order.shape != (samples, features) or order.is_floating_point():
        raise InputError(
            f"an order of shape {tuple(order.shape)} and dtype {order.dtype}",
            f"whole numbers of shape ({samples}, {features}): a permutation for each sample",
            "pass relprop.evaluate.ranking(relevance)",
        )
    wrong = (order.sort(1).values != torch.arange(features, device=order.device)).any(1)
    if wrong.any():
        sample = int(wrong.nonzero()[0, 0])
        raise InputError(
            f"an order that is not a permutation, first in sample {sample}",
            f"each of 0 to {features - 1} once",
            "pass relprop.evaluate.ranking(relevance)",
        )


def check_relevance(relevance: Tensor, order: str) -> None:
    """Raise InputError for relevance that cannot be ranked in an order."""
    check_order(order)
    if not isinstance(relevance, Tensor):
        raise InputError(
            f"relevance of type {type(relevance).__name__}",
            "a tensor (n, *features)",
            "pass relevance of a batch, such as an explanation's .relevance",
        )
    if relevance.ndim < 2:
        raise InputError(
            f"relevance of shape {tuple(relevance.shape)}",
            "(n, *features): one relevance for each feature of each sample",
            "pass relevance of a batch",
        )
    if order != "random" and relevance.isnan().any():
        sample = int(relevance.isnan().flatten(1).any(1).nonzero()[0, 0])
        raise InputError(
            f"relevance has NaN values, first in sample {sample}",
            "numbers, which can be ranked",
            "look for the rule or the input that produced them",
        )


def check_order(order: str) -> None:
    """Raise InputError for an unknown order."""
    if order not in ORDERS:
        raise InputError(f"order={order!r}", f"one of {', '.join(ORDERS)}", 'write order="morf"')
