"""Relevance of channels: how much of the true class's score passes each output of some layers.

Takes a model, samples with their classes, names of layers. Gives a share for each channel.
Must not know what is removed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...explanation.explainer import Explainer
from ...recipes.recipe import Recipe

_BATCH = 64  # samples explained at a time


def draw_samples(y: Tensor, per_class: int, seed: int) -> Tensor:
    """Draw places of samples of each class, in the order of classes; all where there are fewer.

    Args:
        y: Class of each sample, (n,).
        per_class: How many of each.
        seed: Random seed.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for one in sorted(set(y.tolist())):
        rows = (y == one).nonzero().flatten().cpu()
        drawn.append(rows[torch.randperm(len(rows), generator=generator)[:per_class]])
    return torch.cat(drawn)


def channel_relevance(
    model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str], recipe: Recipe | str = "auto"
) -> dict[str, Tensor]:
    """Average over samples the share that each channel carries of its layer's relevance.

    R of a channel is its relevance for the true class, summed over space (Yeom et al. 2021, section
    3.2). Its share is |R| by the sum of |R| over the layer's channels, so that each sample and each
    layer counts the same: shares of a layer sum to 1, or to 0 where no relevance reaches it.

    Args:
        model: The model, in eval mode.
        x: Samples, (n, *features).
        y: Class of each, (n,).
        layers: Dotted names of layers, whose channels are the axis that convolutions write, or the
            last one of linear layers.
        recipe: As for `Explainer`.

    Returns:
        Layer -> share of each channel, (channels,), in float64.
    """
    explainer, totals = Explainer(model, recipe), dict[str, Tensor]()
    for part, target in zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True):
        found = explainer(part, target, layers=list(layers)).layers
        for name in layers:
            shares = channel_shares(model.get_submodule(name), found[name])  # (n, channels)
            totals[name] = totals.get(name, torch.zeros_like(shares[0])) + shares.sum(0)
    return {name: total / len(x) for name, total in totals.items()}


def channel_shares(layer: nn.Module, relevance: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the share of each channel in the sum of |R| of each sample, (n, channels), float64.

    Args:
        layer: A convolution or a linear layer.
        relevance: Of its output, or outputs where it runs several times, (n, *shape).
    """
    sizes = _by_channel(layer, relevance).abs()
    return sizes / sizes.sum(1, keepdim=True).clamp(min=torch.finfo(sizes.dtype).tiny)


def _by_channel(layer: nn.Module, relevance: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Sum relevance at a layer's output over all but samples and channels."""
    parts = relevance if isinstance(relevance, tuple) else (relevance,)
    axis = -1 if isinstance(layer, nn.Linear) else 1
    sums = [
        one.double().movedim(axis, 1).flatten(2).sum(2) if one.ndim > 2 else one.double()
        for one in parts
    ]
    return torch.stack(sums).sum(0)
