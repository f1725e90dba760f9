"""Relevance of a layer's output, summed by channels.

Takes a layer and relevance of its output. Gives a number of each sample and channel. Must not know
how relevance was computed.

n  samples
"""

import torch
from torch import Tensor, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
LAYERS = (*_CONVOLUTIONS, nn.ConvTranspose3d, nn.Linear)  # whose outputs are channels or neurons


def channel_shares(layer: nn.Module, relevance: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the share of each channel in the sum of |R| of each sample, (n, channels), float64.

    Args:
        layer: A convolution or a linear layer.
        relevance: Of its output, or outputs where it runs several times, (n, *shape).
    """
    sizes = by_channel(layer, relevance).abs()
    return sizes / sizes.sum(1, keepdim=True).clamp(min=torch.finfo(sizes.dtype).tiny)


def by_channel(layer: nn.Module, relevance: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Sum relevance at a layer's output over all but samples and channels."""
    parts = relevance if isinstance(relevance, tuple) else (relevance,)
    axis = -1 if isinstance(layer, nn.Linear) else 1
    sums = [
        one.double().movedim(axis, 1).flatten(2).sum(2) if one.ndim > 2 else one.double()
        for one in parts
    ]
    return torch.stack(sums).sum(0)
