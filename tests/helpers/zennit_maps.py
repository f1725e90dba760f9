"""Relevance by Zennit (https://github.com/chr5tphr/zennit), for nets that it handles right."""

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


def relevance(model: nn.Module, composite: Composite, x: Tensor, seed: Tensor) -> Tensor:
    """Relevance of x (n, *features) for seed (n, classes), the relevance of the output.

    In float32 pictures lie in memory as relprop lays them: in another layout torch's convolutions
    round otherwise, which some nets magnify to 2e-5.
    """
    composite.canonizers = [SequentialMergeBatchNorm()]
    planar = x.ndim == 4 and x.dtype is torch.float32
    layout = torch.channels_last if planar else torch.preserve_format
    with Gradient(model, composite) as attributor:
        return attributor(x.clone(memory_format=layout), seed)[1].detach()
