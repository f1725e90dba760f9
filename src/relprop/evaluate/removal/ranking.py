"""Orders of removal: from relevance to which feature goes first, second, last.

Takes relevance of any source, one number for each feature. Must not know what a feature is.

n  samples      d  features of one sample
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from ...errors import InputError

Order = Literal["morf", "lerf", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)


def ranking(relevance: Tensor, order: Order = "morf", *, seed: int = 0) -> Tensor:
    """Features of each sample in the order in which they are to be removed.

    relevance  (n, *features), signed, of any source; "random" uses its shape alone
    order      "morf": highest signed relevance first; "lerf": lowest first, so what speaks against
               the class goes before what says nothing; "random": a permutation for each sample
    Equal relevance is common (blank pixels have exactly zero under most rules). Ties are broken at
    random by the seed, never by position: by position, the upper rows of a picture would go first.
    Returns (n, d) feature indices, each row a permutation.
    """
    check_relevance(relevance, order)
    flat = relevance.detach().flatten(1)
    # drawn on the CPU, so that a seed means the same on every device
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(flat.shape, generator=generator).to(flat.device).argsort(1)
    if order == "random":
        return shuffled
    # a stable sort of shuffled features leaves equal ones in their shuffled, that is random, order
    values = flat.gather(1, shuffled)
    return shuffled.gather(1, values.argsort(dim=1, descending=order == "morf", stable=True))


def existing_first(order: Tensor, count: Tensor) -> Tensor:
    """An order (n, d) in which features that a sample lacks come last.

    count  (1,) or (n,) how many features a sample has: those from there to d do not exist
    """
    missing = order >= count[:, None]
    return order.gather(1, missing.byte().argsort(dim=1, stable=True)) if missing.any() else order


def departures(order: Tensor, counts: Tensor) -> Tensor:
    """The first column of a curve in which each feature is gone, (n, d).

    order   (n, d) first gone first
    counts  (1 or n, s + 1) how many are gone in each column, from 0 on
    One past the last column, s + 1, for those that are there to the end.
    """
    places = torch.arange(order.shape[1], device=order.device).repeat(len(counts), 1)
    columns = torch.searchsorted(counts, places, right=True, out_int32=True)  # (1 or n, d)
    return torch.empty_like(order, dtype=torch.int32).scatter_(1, order, columns.expand_as(order))


def tie_count(relevance: Tensor, order: Tensor, count: Tensor) -> Tensor:
    """How many features of each sample share their relevance with another, (n,).

    relevance  (n, d)
    order      (n, d) by which it rises or falls, so that equal ones are neighbours
    count      (1,) or (n,) how many features a sample has; the others come last
    """
    values = relevance.detach().gather(1, order)
    there = torch.arange(1, order.shape[1], device=order.device) < count[:, None]
    same = (values[:, 1:] == values[:, :-1]) & there
    edge = same.new_zeros(len(same), 1)
    return (torch.cat([same, edge], 1) | torch.cat([edge, same], 1)).sum(1)


def check_permutation(order: Tensor, samples: int, count: Tensor) -> None:
    """InputError unless each row of a given order (n, d) has every feature of its sample once.

    count  (1,) or (n,) how many features a sample has; numbers from there to d stand for nothing
    """
    features = int(count.max())
    if order.shape != (samples, features) or order.is_floating_point():
        raise InputError(
            f"an order of shape {tuple(order.shape)} and dtype {order.dtype}",
            f"whole numbers of shape ({samples}, {features}): a permutation for each sample",
            "give relprop.evaluate.ranking(relevance)",
        )
    wrong = (order.sort(1).values != torch.arange(features, device=order.device)).any(1)
    if wrong.any():
        sample = int(wrong.nonzero()[0, 0])
        raise InputError(
            f"an order that is no permutation, first for sample {sample}",
            f"each of 0 to {features - 1} once",
            "give relprop.evaluate.ranking(relevance)",
        )


def check_relevance(relevance: Tensor, order: str) -> None:
    """InputError for relevance that an order cannot be made of."""
    check_order(order)
    if relevance.ndim < 2:
        raise InputError(
            f"relevance of shape {tuple(relevance.shape)}",
            "(n, *features): one relevance for each feature of each sample",
            "give relevance for a batch",
        )
    if order != "random" and relevance.isnan().any():
        sample = int(relevance.isnan().flatten(1).any(1).nonzero()[0, 0])
        raise InputError(
            f"relevance has NaN values, first for sample {sample}",
            "numbers, which can be ranked",
            "look for the rule or the input that made them",
        )


def check_order(order: str) -> None:
    """InputError for an order that has no name here."""
    if order not in ORDERS:
        raise InputError(f"order={order!r}", f"one of {', '.join(ORDERS)}", 'write order="morf"')
