"""Relevance by Zennit (https://github.com/chr5tphr/zennit), for networks that it supports."""

import torch
from torch import Tensor, nn
from zennit import rules
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import COMPOSITES, LayerMapComposite
from zennit.core import Composite, Hook, Stabilizer
from zennit.types import Activation, AvgPool, Linear


def uniform(rule: Hook, stabiliser: float = 1e-6) -> Composite:
    """One rule at every weighted sum; activations pass, average pools are normalised."""
    pool = rules.Norm(stabiliser)
    return LayerMapComposite([(Activation, rules.Pass()), (AvgPool, pool), (Linear, rule)])


def preset(name: str, **parameters: float) -> Composite:
    """Zennit's composite of this name, with its own defaults."""
    return COMPOSITES[name.replace("-", "_")](**parameters)


def relative(epsilon: float) -> Stabilizer:
    """An epsilon in units of the root mean square of a layer's output, per sample."""
    return Stabilizer(epsilon, norm_scale=True)


def relevance(model: nn.Module, composite: Composite, x: Tensor, initial: Tensor) -> Tensor:
    """Compute the relevance of x (n, *features) from that of the output (n, classes).

    In float32, images have the memory format that relprop uses: in another one torch's convolutions
    round differently, which some networks magnify to 2e-5.
    """
    composite.canonizers = [SequentialMergeBatchNorm()]
    planar = x.ndim == 4 and x.dtype is torch.float32
    layout = torch.channels_last if planar else torch.preserve_format
    with Gradient(model, composite) as attributor:
        return attributor(x.clone(memory_format=layout), initial)[1].detach()
