"""Normalisations with their statistics held constant: the linear map that is left, and its VJP.

x  (batch, *features)   `grouped` is its shape in which statistics are taken, over `dims`;
                        scale, weight and bias broadcast to `grouped`
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..rules.autodiff import Traced


def hold(operation: str, x: Tensor, rest: Sequence[Any]) -> Traced:
    """Run a normalisation of x, as the linear map that is left with the statistics of x held."""
    return _HELD[operation](x, *rest)


def _layer_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = True,
) -> Traced:
    z, _, scale = torch.native_layer_norm(x, shape, weight, bias, eps)
    dims = tuple(range(-len(shape), 0))
    if torch.is_grad_enabled():  # torch does not differentiate native_layer_norm's own scale
        scale = _scale(x, dims, eps)
    return _held(x, x.shape, scale, weight, bias, dims, z)


def _rms_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Traced:
    dims = tuple(range(-len(shape), 0))
    small = torch.finfo(x.dtype).eps if eps is None else eps
    scale = (x.square().mean(dims, keepdim=True) + small).rsqrt()
    return _held(x, x.shape, scale, weight, None)


def _group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = True,
) -> Traced:
    grouped = (len(x), groups, x.shape[1] // groups, *x.shape[2:])
    dims = tuple(range(2, len(grouped)))
    scale = _scale(x.reshape(grouped), dims, eps)
    weight, bias = (_along(t, (groups, -1), len(grouped)) for t in (weight, bias))
    return _held(x, grouped, scale, weight, bias, dims)


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    own_statistics: bool,
    momentum: float,
    eps: float,
    cudnn: bool = True,
) -> Traced:
    if own_statistics:
        return _group_norm(x, x.shape[1], weight, bias, eps)
    weight, bias, mean, variance = (
        _along(t, (-1,), x.ndim) for t in (weight, bias, mean, variance)
    )
    assert mean is not None
    assert variance is not None
    scale = (variance + eps).rsqrt()
    shift = -_affine(mean * scale, weight, None)
    return _held(x, x.shape, scale, weight, shift if bias is None else shift + bias)


def _scale(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    return (x.var(dims, keepdim=True, unbiased=False) + eps).rsqrt()


def _along(value: Tensor | None, channels: tuple[int, ...], ndim: int) -> Tensor | None:
    """Reshape one value per channel so that it broadcasts to (batch, *channels, ...)."""
    return value if value is None else value.reshape(*channels, *[1] * (ndim - 1 - len(channels)))


def _affine(u: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    u = u if weight is None else u * weight
    return u if bias is None else u + bias


def _held(
    x: Tensor,
    grouped: Sequence[int],
    scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    centred: tuple[int, ...] = (),
    z: Tensor | None = None,
) -> Traced:
    """Build z = (x - mean x) s w + b with s held constant: J^T c = s w c, less its mean.

    Args:
        x: Input (batch, *features).
        grouped: Shape of x in which statistics are taken.
        scale: s, of a shape that broadcasts to `grouped`.
        weight: w, or None.
        bias: b, or None.
        centred: Dimensions of the mean; none: z = x s w + b.
        z: The result, if it is known.
    """
    shape, dtype = x.shape, x.dtype

    def centre(u: Tensor, overwrite: bool = False) -> Tensor:
        if not centred:
            return u
        mean = u.mean(centred, keepdim=True)
        return u.sub_(mean) if overwrite else u - mean

    def function(u: Tensor) -> Tensor:
        return _affine(centre(u.reshape(grouped)) * scale, weight, bias).reshape(u.shape)

    def vjp(c: Tensor) -> tuple[Tensor, ...]:
        overwrite = not torch.is_grad_enabled()
        pulled = _affine(c.reshape(grouped), weight, None)
        in_place = overwrite and weight is not None and pulled.dtype is scale.dtype
        pulled = pulled.mul_(scale) if in_place else pulled * scale
        return (centre(pulled, overwrite).reshape(shape).to(dtype),)

    return Traced(function, function, (x,), function(x) if z is None else z, (0,), vjp)


_HELD: Mapping[str, Callable[..., Traced]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
}
