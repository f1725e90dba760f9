"""Relevance by Zennit (https://github.com/chr5tphr/zennit), for nets that it handles right.

Importing this module imports Zennit, and with it torchvision.
"""

import torch
from torch import Tensor, nn


def _declared_operators() -> torch.library.Library | None:
    """What torchvision lacks beside a CPU-only torch when it was built for CUDA; else None.

    Zennit wants torchvision's class names only, so two declarations without code are enough.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


_OPERATORS = _declared_operators()  # declarations end with the object that made them

from zennit import rules  # noqa: E402
from zennit.attribution import Gradient  # noqa: E402
from zennit.canonizers import SequentialMergeBatchNorm  # noqa: E402
from zennit.composites import COMPOSITES, LayerMapComposite  # noqa: E402
from zennit.core import Composite, Hook, Stabilizer  # noqa: E402
from zennit.types import Activation, AvgPool, Linear  # noqa: E402


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
    """Relevance of x (n, *features) for seed (n, classes), the relevance of the output."""
    composite.canonizers = [SequentialMergeBatchNorm()]
    with Gradient(model, composite) as attributor:
        return attributor(x.clone(), seed)[1].detach()
