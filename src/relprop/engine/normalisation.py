"""Normalisations whose statistics are held constant: the result, and the way back through the map.

x  (..., *shape)   normalised over its last dimensions          z, c  of the same shape
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .forms import Back, times


def layer_norm(
    x: Tensor,
    shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = True,
) -> tuple[Tensor, Back]:
    """Of z = (x - mean x) s w + b, with s = 1 / sqrt(var x + eps) held:
    c -> s w c, less its mean.
    """
    z, _, scale = torch.native_layer_norm(x, shape, weight, bias, eps)
    dims, dtype = tuple(range(-len(shape), 0)), x.dtype
    if torch.is_grad_enabled():  # torch does not differentiate its own
        scale = (x.var(dims, keepdim=True, unbiased=False) + eps).rsqrt()

    def pull(c: Tensor) -> tuple[Tensor]:
        g = _weighted(c, weight) * scale
        return ((g - g.mean(dims, keepdim=True)).to(dtype),)

    return z, Back(pull, lambda c: {} if bias is None else {"bias": times(c, bias.expand_as(c))})


def rms_norm(
    x: Tensor, shape: list[int], weight: Tensor | None = None, eps: float | None = None
) -> tuple[Tensor, Back]:
    """Of z = x s w, with s = 1 / sqrt(mean x^2 + eps) held: c -> s w c."""
    dims, dtype = tuple(range(-len(shape), 0)), x.dtype
    small = torch.finfo(x.dtype).eps if eps is None else eps
    scale = (x.square().mean(dims, keepdim=True) + small).rsqrt()
    z = _weighted(x * scale, weight)
    return z, Back(lambda c: ((_weighted(c, weight) * scale).to(dtype),), lambda c: {})


def _weighted(value: Tensor, weight: Tensor | None) -> Tensor:
    return value if weight is None else value * weight


HELD: Mapping[str, Callable[..., tuple[Tensor, Back]]] = {
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
}
