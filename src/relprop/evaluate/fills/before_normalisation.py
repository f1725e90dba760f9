"""Fills of images in the space before normalisation, where zero is black.

Takes any fill. Gives a fill. Must not know the model.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from ...errors import InputError
from ..images import require_images
from .base import Fill, fill_values
from .registry import as_fill


def before_normalisation(
    fill: Any, mean: float | Sequence[float], std: float | Sequence[float]
) -> Fill:
    """Apply a fill to images as they were before (image - mean) / std: there, zero is black.

    Args:
        fill: Anything that may be passed as a fill. Data that it looks at is not normalised.
        mean: The mean that the images were normalised with; one number, or one per channel.
        std: The standard deviation, likewise.

    Returns:
        The fill of normalised images.

    Raises:
        InputError: When the fill is used, a batch that is not of images, or means of another number
            of channels.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.ones(1, 1, 1, 2)
        >>> black = before_normalisation("zero", mean=0.5, std=0.25)
        >>> remove_units(x, torch.tensor([[1.0, 0.0]]), 0.5, fill=black).tolist()
        [[[[-2.0, 1.0]]]]
    """
    inner = as_fill(fill)

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        m, s = _per_channel(mean, x), _per_channel(std, x)
        return (fill_values(inner, x * s + m, removed, generator) - m) / s

    return Fill(f"{inner.name} before normalisation", values, inner.each_step)


def _per_channel(values: float | Sequence[float], x: Tensor) -> Tensor:
    """Return values in a shape that broadcasts to images, (1, 1 or c, 1, 1)."""
    require_images(x, "before_normalisation")
    per_channel = torch.as_tensor(values, dtype=x.dtype, device=x.device).reshape(1, -1, 1, 1)
    if per_channel.shape[1] not in (1, x.shape[1]):
        raise InputError(
            f"{per_channel.shape[1]} values of mean or std for images with {x.shape[1]} channels",
            "one number, or one for each channel",
            "pass those that the data set was normalised with",
        )
    return per_channel
