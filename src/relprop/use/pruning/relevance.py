"""Relevance of channels: how much of classes' scores passes each output of some layers.

Takes a model, samples with their classes, names of layers. Gives a number for each channel.
Must not know what is removed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...explanation.explainer import Explainer
from ...explanation.targets import at
from ...observe.channel_sums import by_channel
from ...recipes.recipe import Recipe

_BATCH = 128  # samples explained at a time
_CLASSES = 20  # explained at most, evenly spaced


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
    model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str], recipe: Recipe | str = "epsilon"
) -> dict[str, Tensor]:
    """Say by relevance for every class how much scores change against each other without a channel.

    Mean over samples n of sum over classes k of |R_nk - mean_k R_nk|, in units of scores: R_nk is
    what the channel carries of the score of class k, summed over space, which the score lacks
    without it (Yeom et al. 2021, section 3.2, for the true class alone). What all scores lack alike
    changes no decision, so that the mean over classes is taken off.

    Args:
        model: The model, in eval mode.
        x: Samples, (n, *features).
        y: Class of each, (n,): explained are those that occur, 20 of them where there are more.
        layers: Dotted names of layers, whose channels are the axis that convolutions write, or the
            last one of linear layers.
        recipe: As for `Explainer`.

    Returns:
        Layer -> a number of each channel, (channels,), in float64.
    """
    explainer, totals = Explainer(model, recipe), dict[str, Tensor]()
    classes = sorted(set(y.tolist()))
    classes = classes[:: -(-len(classes) // _CLASSES)]
    for part in torch.split(x, _BATCH):
        found = explainer(part, [at(k) for k in classes], layers=list(layers)).layers
        for name in layers:
            one = found[name]
            parts = [p.flatten(0, 1) for p in (one if isinstance(one, tuple) else (one,))]
            sums = by_channel(model.get_submodule(name), tuple(parts))  # (n classes, channels)
            sums = sums.reshape(len(part), len(classes), -1)
            sizes = (sums - sums.mean(1, keepdim=True)).abs().sum((0, 1))
            totals[name] = totals.get(name, torch.zeros_like(sizes)) + sizes
    return {name: total / len(x) for name, total in totals.items()}
