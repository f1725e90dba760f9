"""Chooses the channels that are removed: those of the lowest scores, of the model or of each layer.

Takes groups and a score of each channel. Gives places. Must not know what scores measure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from .groups import ChannelGroup

Ranking = Literal["global", "layer"]


def choose_removed(
    groups: Sequence[ChannelGroup],
    by_layer: Mapping[str, Tensor],
    sparsity: float,
    ranking: Ranking = "global",
    asked: tuple[str, str] = ("sparsity", "channels"),
) -> dict[str, tuple[int, ...]]:
    """Choose the channels with the lowest scores.

    Args:
        groups: All groups of a model.
        by_layer: Name of a layer -> score of each of its output channels, >= 0.
        sparsity: Share of all channels of groups that is removed, in [0, 1), rounded down.
        ranking: "layer": this share of each group. "global": the lowest of all; each group keeps
            its best channel.
        asked: Name of the argument that the share is, and what is removed, for errors.

    Returns:
        Name of a group -> places of the channels that are removed, ascending.

    Raises:
        InputError: A layer would be empty.
    """
    if not groups:
        return {}
    scores = [group.score(by_layer) for group in groups]
    if ranking == "layer":
        counts = [_share_of(group.size, sparsity) for group in groups]
        chosen = [s.argsort(stable=True)[:count] for s, count in zip(scores, counts, strict=True)]
    else:
        chosen = _lowest_of_all(groups, scores, sparsity, asked)
    return {
        group.name: tuple(sorted(places.tolist()))
        for group, places in zip(groups, chosen, strict=True)
    }


def _lowest_of_all(
    groups: Sequence[ChannelGroup],
    scores: Sequence[Tensor],
    sparsity: float,
    asked: tuple[str, str],
) -> list[Tensor]:
    name, what = asked
    total = sum(group.size for group in groups)
    count, most = _share_of(total, sparsity), total - len(groups)
    if count > most:
        raise InputError(
            f"{name} {sparsity:g}, {count} of {total} {what} in {len(groups)} layers",
            f"at most {most}, since each layer keeps one: a layer would be empty",
            f"write {name}={int(100 * most / total) / 100:g}",
        )
    for one in scores:
        one[one.argmax()] = torch.inf  # stays
    removed = torch.cat(list(scores)).argsort(stable=True)[:count]
    marked = torch.zeros(total, dtype=torch.bool).index_fill_(0, removed, True)
    sizes = [group.size for group in groups]
    return [part.nonzero().flatten() for part in torch.split(marked, sizes)]


def _share_of(total: int, share: float) -> int:
    """Round a share of a number down; 0.29 of 100 is 29, though the product is below it."""
    return math.floor(share * total + 1e-9)
