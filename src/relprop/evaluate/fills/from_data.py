"""Fills from data: constants, means, modes, noise, other samples. `filling.py` says what a fill is.

n  samples      m  samples of the data      features  of one sample; (c, h, w) for pictures
"""

import torch
from torch import Generator, Tensor

from ...errors import InputError
from .base import Fill


def constant(value: float, name: str | None = None) -> Fill:
    """One number: 0, or the id of a mask token."""

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        fits = x.is_floating_point() or float(value).is_integer()  # 0.5 is no token id, and not 0
        return torch.full_like(x, value, dtype=x.dtype if fits else torch.float64)

    return Fill(name or f"{value:g}", values)


def baseline(values: Tensor) -> Fill:
    """Values for the whole batch, (n, *features), or for every sample, (*features)."""

    def expanded(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        here = values.to(x.device)
        return here.expand_as(x) if here.shape == x.shape[1:] else here

    return Fill("baseline", expanded)


def mean(data: Tensor | None = None) -> Fill:
    """The mean of each channel of pictures, of each column of anything else, over the data.

    data  (m, *features) samples; None: the batch itself
    The mean picture would be `data.mean(0)`, as a fill of its own.
    """
    return Fill("mean", lambda x, g, r: _real(x, data).mean(_over(x), keepdim=True).expand_as(x))


def sample_mean() -> Fill:
    """Each sample's own mean: of each channel of a picture, of all entries of anything else."""

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        dims = (2, 3) if x.ndim == 4 else tuple(range(1, x.ndim))
        return _real(x).mean(dims, keepdim=True).expand_as(x)

    return Fill("sample-mean", values)


def mode(data: Tensor | None = None) -> Fill:
    """The most frequent value of each column over the data, of whole numbers, too.

    For tables with categories and measurements, give their values themselves as fill:
    torch.where(categorical, data.mode(0).values, data.mean(0)).
    """

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        return _seen(x, data).mode(0).values.expand_as(x)

    return Fill("mode", values)


def uniform(data: Tensor | None = None) -> Fill:
    """Uniform noise between least and greatest value of each channel (of pictures) or column."""

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        seen = _real(x, data)
        low, high = (f(seen, _over(x), keepdim=True) for f in (torch.amin, torch.amax))
        noise = torch.rand(x.shape, generator=generator, dtype=seen.dtype).to(x.device)
        return low + (high - low) * noise

    return Fill("uniform", values)


def gaussian(data: Tensor | None = None) -> Fill:
    """Gaussian noise with the mean and the deviation of each channel (of pictures) or column."""

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        seen = _real(x, data)
        centre = seen.mean(_over(x), keepdim=True)
        spread = seen.std(_over(x), correction=0, keepdim=True)
        noise = torch.randn(x.shape, generator=generator, dtype=seen.dtype).to(x.device)
        return centre + spread * noise

    return Fill("gaussian", values)


def marginal(data: Tensor | None = None) -> Fill:
    """The values of another sample, drawn for each: one of the data, or another of the batch."""

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        n = len(x)
        others = _seen(x, data)
        if data is not None:
            drawn = torch.randint(len(data), (n,), generator=generator)
            return others[drawn.to(x.device)]
        if n < 2:
            todo = "give others: fill=relprop.evaluate.marginal(data)"
            raise InputError('fill="marginal" for a single sample', "two samples or more", todo)
        away = torch.randint(1, n, (n,), generator=generator)  # so that none is drawn for itself
        return x[((torch.arange(n) + away) % n).to(x.device)]

    return Fill("marginal", values)


def _over(x: Tensor) -> tuple[int, ...]:
    """The dimensions that a channel of pictures, or a column of anything else, extends over."""
    return (0, 2, 3) if x.ndim == 4 else (0,)


def _seen(x: Tensor, data: Tensor | None) -> Tensor:
    """The data, or the batch where none is given."""
    if data is None:
        return x
    if data.shape[1:] != x.shape[1:] or len(data) == 0:
        raise InputError(
            f"data of shape {tuple(data.shape)} for a fill of x of shape {tuple(x.shape)}",
            f"samples like those of x: (m, {', '.join(map(str, x.shape[1:]))})",
            "give other samples of the same data set",
        )
    return data.to(x.device)


def _real(x: Tensor, data: Tensor | None = None) -> Tensor:
    """The same, of a kind that has a mean."""
    seen = _seen(x, data)
    return seen if seen.is_floating_point() else seen.double()
