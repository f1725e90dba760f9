"""The fills that have a name, blur, and fills in the space before normalisation.

n  samples      c, h, w  of a picture
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ...errors import InputError
from ..removal.units import check_pictures
from . import from_data as fills
from .base import Fill, filled
from .imputation import neighbours


def blur(sigma: float | None = None) -> Fill:
    """The picture seen through a Gaussian of deviation sigma; None: a tenth of its longer side.

    Beyond the border it goes on as it ends there.
    """

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        check_pictures(x, 'fill="blur"')
        n, c, h, w = x.shape
        deviation = sigma or max(h, w) / 10
        reach = math.ceil(3 * deviation)
        at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        bell = (-0.5 * (at / deviation) ** 2).exp()
        bell = bell / bell.sum()
        v = F.pad(x.reshape(n * c, 1, h, w), (reach,) * 4, mode="replicate")
        return F.conv2d(F.conv2d(v, bell[None, None, None]), bell[None, None, :, None]).reshape(
            x.shape
        )

    return Fill("blur", values)


# from other samples of the data, (m, *features), or None for the batch itself, to a fill
FILLS: Mapping[str, Callable[..., Fill]] = MappingProxyType(
    {
        "zero": lambda data=None: fills.constant(0, "zero"),
        "mean": fills.mean,
        "sample-mean": lambda data=None: fills.sample_mean(),
        "mode": fills.mode,
        "uniform": fills.uniform,
        "gaussian": fills.gaussian,
        "marginal": fills.marginal,
        "blur": lambda data=None: blur(),
        "neighbours": lambda data=None: neighbours(data=data),
    }
)


def as_fill(fill: Any, data: Tensor | None = None) -> Fill:
    """What the user gave as a fill: a name, a number, a tensor, a function, or a Fill.

    data  (m, *features) what a fill with a name looks at; None: the batch itself
    """
    if isinstance(fill, Fill):
        return fill
    if isinstance(fill, Tensor):
        return fills.baseline(fill)
    if isinstance(fill, (int, float)) and not isinstance(fill, bool):
        return fills.constant(fill)
    if callable(fill):
        return Fill(getattr(fill, "__name__", "custom"), fill, each_step=True)
    if not isinstance(fill, str) or fill not in FILLS:
        raise InputError(
            f"fill={fill!r}",
            f"one of {', '.join(FILLS)}; a number, a tensor, a function or a Fill",
            'write fill="zero"',
        )
    return FILLS[fill](data)


def before_normalisation(
    fill: Any, mean: float | Sequence[float], std: float | Sequence[float]
) -> Fill:
    """A fill of pictures as they were before (picture - mean) / std: there, zero is black.

    fill       anything that may be given as a fill; what data it holds is not normalised either
    mean, std  one number, or one for each channel
    """
    inner = as_fill(fill)

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        m, s = _per_channel(mean, x), _per_channel(std, x)
        return (filled(inner, x * s + m, gone, generator) - m) / s

    return Fill(f"{inner.name} before normalisation", values, inner.each_step)


def _per_channel(values: float | Sequence[float], x: Tensor) -> Tensor:
    """(1, 1 or c, 1, 1)."""
    check_pictures(x, "before_normalisation")
    found = torch.as_tensor(values, dtype=x.dtype, device=x.device).reshape(1, -1, 1, 1)
    if found.shape[1] not in (1, x.shape[1]):
        raise InputError(
            f"{found.shape[1]} values of mean or std for pictures with {x.shape[1]} channels",
            "one number, or one for each channel",
            "give those that the data set was normalised with",
        )
    return found
