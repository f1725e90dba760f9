"""Removes channels in rounds: after each, what is left is ranked again.

Takes a model, what of it can be removed, samples and a criterion. Gives smaller copies. Must not
know what the criterion measures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .groups import Prunable, remove_channels
from .matching import match_statistics
from .selection import Ranking, choose_removed

# Takes a model, samples, their classes and names of layers. Gives a number >= 0 of each channel.
Criterion = Callable[[nn.Module, Tensor, Tensor, Sequence[str]], Mapping[str, Tensor]]


@dataclass(frozen=True, eq=False)
class Smaller:
    """A model after a round.

    Attributes:
        model: The smaller copy.
        removed: Name of a group -> places of its channels that went, by those of the whole model.
        kept: Name of a layer or BatchNorm -> places of the output channels that are left.
    """

    model: nn.Module
    removed: Mapping[str, tuple[int, ...]]
    kept: Mapping[str, Tensor]


def remove_in_steps(
    model: nn.Module,
    prunable: Prunable,
    samples: tuple[Tensor, Tensor],
    criterion: Criterion,
    shares: Sequence[float],
    *,
    ranking: Ranking = "global",
    rescale: bool = True,
) -> Iterator[Smaller]:
    """Remove more and more channels, each time those that the smaller model ranks last.

    Args:
        model: The model, in eval mode. It is not changed.
        prunable: What of it can be removed.
        samples: Samples and their classes, that the criterion sees and statistics are matched on.
        criterion: What ranks channels.
        shares: Share of all channels that is gone after each round, ascending, in [0, 1).
        ranking: As for `choose_removed`.
        rescale: Whether statistics are matched after each round.

    Yields:
        The model after each round.

    Raises:
        InputError: A layer would be empty.
    """
    x, y = samples
    smaller = Smaller(model, {}, {})
    for share in shares:
        scores = criterion(smaller.model, x, y, prunable.layers)
        whole = {name: _of_whole(name, one, prunable, smaller) for name, one in scores.items()}
        removed = choose_removed(prunable.groups, whole, share, ranking)
        pruned = remove_channels(model, x[:1], removed)
        kept: dict[str, Tensor] = {}
        for group in prunable.groups:
            kept |= group.kept(removed[group.name])
        if rescale:
            match_statistics(model, pruned, x, kept)
        smaller = Smaller(pruned, removed, kept)
        yield smaller


def _of_whole(name: str, scores: Tensor, prunable: Prunable, smaller: Smaller) -> Tensor:
    """Place scores of a smaller layer among the channels of the whole one; -1 where they went."""
    if name not in smaller.kept:
        return scores
    places = next(group.places[name][0] for group in prunable.groups if name in group.places)
    whole = torch.full((int(places.max()) + 1,), -1.0, dtype=torch.float64)
    whole[smaller.kept[name]] = scores.double().cpu()
    return whole
