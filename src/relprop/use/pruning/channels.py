"""Removes the channels of a model that carry the least relevance: a smaller copy, and its record.

Takes a model and samples with their classes. Gives a PrunedModel. Must not know files.

n  samples
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...explanation.check_model import check_module
from ...recipes.recipe import Recipe
from .arguments import check_model_and_samples, check_options, check_test
from .groups import ChannelGroup, find_groups
from .heads import Heads, find_heads, head_relevance, remove_heads
from .matching import match_statistics
from .record import PrunedLayer, PrunedModel, accuracy, measure_size
from .relevance import channel_relevance, draw_samples
from .selection import Ranking, choose_removed
from .stepwise import remove_in_steps

_CHANNELS, _HEADS = ("sparsity", "channels"), ("heads", "heads")  # arguments, and what goes


def prune_channels(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    sparsity: float = 0.5,
    *,
    heads: float = 0.0,
    samples_per_class: int = 10,
    rounds: int = 5,
    ranking: Ranking = "global",
    recipe: Recipe | str = "epsilon",
    keep: Sequence[str] = (),
    rescale: bool = True,
    test: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> PrunedModel:
    """Remove the channels and neurons that carry the least relevance.

    Ranked is how much the scores of classes change against each other without a channel, by its
    relevance for each class, over a few samples. Channels that must go together, as residual
    connections and depthwise convolutions ask for, are ranked by the sum of what they carry. Layers
    that cannot lose channels stay whole, and `whole` says why: the output, grouped convolutions,
    tied weights, the width of attention.

    Args:
        model: A classifier, in eval mode: (n, *features) to scores (n, classes). Not changed.
        x: Samples that it was trained on, or like them, (n, *features).
        y: Class of each, (n,).
        sparsity: Share of the channels that is removed, in [0, 1).
        heads: Share of attention heads that is removed, in [0, 1), ranked among themselves; each
            attention keeps one.
        samples_per_class: How many of each class are explained, drawn at random; all, if there are
            fewer.
        rounds: In how many rounds channels go; after each, what is left is ranked again.
        ranking: "global": the lowest of the whole model. "layer": the same share of each layer.
        recipe: How relevance is computed, as for `Explainer`.
        keep: Globs on names of layers that keep all their channels.
        rescale: Whether weights of what is left are scaled, and biases shifted, so that layers'
            outputs have the mean and spread over these samples that they had before. Nothing is
            trained.
        test: Samples and classes that accuracy is measured on; None: x and y.
        seed: Random seed of the draw.

    Returns:
        A record with the smaller model.

    Raises:
        InputError: An argument is wrong, a layer would be empty, or nothing can be removed.
        MissingExtraError: torch-pruning, of the extra "prune", is not installed.

    Example:
        >>> import torch, relprop.use
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
        >>> x, y = torch.randn(20, 4), torch.arange(20) % 2
        >>> relprop.use.prune_channels(model, x, y, sparsity=0.5).model
        Sequential(
          (0): Linear(in_features=4, out_features=4, bias=True)
          (1): ReLU()
          (2): Linear(in_features=4, out_features=2, bias=True)
        )

    Source: Yeom et al. 2021, "Pruning by explaining: a novel criterion for deep neural network
    pruning"; Hatefi et al. 2024, "Pruning by explaining revisited".
    """
    model = check_module(model)
    check_options(sparsity, heads, samples_per_class, rounds, ranking, keep, rescale, seed)
    check_model_and_samples(model, x, y)
    tested = (x, y) if test is None else check_test(model, test)
    prunable = find_groups(model, x, keep)
    attention, whole = _attention(model, x, heads)
    for groups, share, asked in (
        (prunable.groups, sparsity, _CHANNELS),
        ([one.group for one in attention], heads, _HEADS),
    ):
        choose_removed(groups, _zeros(groups), share, ranking, asked)  # before computing
    rows = draw_samples(y, samples_per_class, seed).to(x.device)
    samples = x[rows], y[rows]
    gone = _worst_heads(model, attention, samples, heads, ranking, recipe)
    shares = [sparsity * one / rounds for one in range(1, rounds + 1)]
    criterion = partial(channel_relevance, recipe=recipe)
    *_, last = remove_in_steps(
        model, prunable, samples, criterion, shares, ranking=ranking, rescale=rescale
    )
    pruned, removed = last.model, last.removed
    kept = remove_heads(pruned, attention, gone)
    if rescale and attention:
        match_statistics(model, pruned, x[rows], {**last.kept, **kept})
    return PrunedModel(
        model=pruned,
        layers=tuple(_layer(group, removed[group.name]) for group in prunable.groups),
        heads=tuple(_layer(one.group, gone[one.name]) for one in attention),
        whole={**prunable.whole, **whole},
        size_before=measure_size(model, x[:1]),
        size_after=measure_size(pruned, x[:1]),
        accuracy_before=accuracy(model, *tested),
        accuracy_after=accuracy(pruned, *tested),
        tested=len(tested[1]),
        samples=len(rows),
    )


def _attention(model: nn.Module, x: Tensor, share: float) -> tuple[list[Heads], dict[str, str]]:
    """Find attention, if heads are to be removed."""
    if not share:
        return [], {}
    found, whole = find_heads(model, x)
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in whole.items())
        given = f"heads is {share:g}, of a model without heads that can be removed"
        allowed = "nn.MultiheadAttention, or attention as timm has it, of two heads at least"
        raise InputError(f"{given}{f': {reasons}' if reasons else ''}", allowed, "write heads=0")
    return found, whole


def _worst_heads(
    model: nn.Module,
    attention: Sequence[Heads],
    samples: tuple[Tensor, Tensor],
    share: float,
    ranking: Ranking,
    recipe: Recipe | str,
) -> dict[str, tuple[int, ...]]:
    if not attention:
        return {}
    scores = head_relevance(model, attention, *samples, recipe)
    return choose_removed([one.group for one in attention], scores, share, ranking, _HEADS)


def _layer(group: ChannelGroup, removed: tuple[int, ...]) -> PrunedLayer:
    coupled = tuple(name for name in group.places if name != group.name)
    return PrunedLayer(group.name, coupled, group.size, removed)


def _zeros(groups: Sequence[ChannelGroup]) -> dict[str, Tensor]:
    sizes = {
        name: int(own.max()) + 1 for group in groups for name, (own, _) in group.places.items()
    }
    return {name: torch.zeros(size) for name, size in sizes.items()}
