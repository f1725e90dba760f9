"""The order in which the units of each sample are removed.

Takes relevance per unit, or the user's permutation. Gives ranked units. Must not know the model.

n  samples      d  units of a sample
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from .ranking import (
    Order,
    check_order,
    check_permutation,
    move_padding_last,
    ranking,
    tie_count,
)
from .setup import RemovalSetup


@dataclass(frozen=True)
class UnitOrder:
    """An order of removal.

    Attributes:
        name: "morf", "lerf", "random", or "custom" for a permutation of the user's.
        units: Units of each sample, first removed first, (n, d).
        ties: How many units of each sample share their relevance with another, (n,).
    """

    name: str
    units: Tensor
    ties: Tensor


def order_units(setup: RemovalSetup, relevance: Tensor | None, order: Order | Tensor) -> UnitOrder:
    """Order units by their relevance (n, d), at random, or by the permutation that is passed."""
    count = setup.units.count
    no_ties = count.new_zeros(len(setup.x))
    if isinstance(order, Tensor):
        return UnitOrder("custom", move_padding_last(order.to(count.device), count), no_ties)
    if relevance is None:  # "random" uses its shape alone
        relevance = torch.zeros(len(setup.x), int(count.max()), device=count.device)
    units = move_padding_last(ranking(relevance, order, seed=setup.seed), count)
    ties = no_ties if order == "random" else tie_count(relevance, units, count)
    return UnitOrder(order, units, ties)


def check_unit_order(setup: RemovalSetup, relevance: object, order: Order | Tensor) -> None:
    """Raise InputError for an unknown order, one that lacks relevance, or a bad permutation."""
    if isinstance(order, Tensor):
        check_permutation(order, len(setup.x), setup.units.count)
        return
    check_order(order)
    if relevance is None and order != "random":
        raise InputError(
            f'no relevance for order="{order}"',
            'relevance, or order="random", or a permutation (n, d)',
            "pass a tensor like x",
        )
