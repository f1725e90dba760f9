"""Labelled images of the MNIST family, as tensors that say where they come from.

Takes pixels and labels. Gives Digits. Must not know files, downloads or models.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import InputError

PIXELS = 28 * 28  # of an image


@dataclass(frozen=True)
class Digits:
    """Images with their labels.

    Attributes:
        images: Grey values, (n, 1, 28, 28), float32 in [0, 1].
        labels: Classes, (n,), int64 from 0 to 9.
        split: "train" or "test": the part of the data set that the images belong to.
        source: Which images these are and where they come from; a sentence without full stop.
    """

    images: Tensor
    labels: Tensor
    split: str
    source: str


def first_digits(digits: Digits, count: int | None) -> Digits:
    """Take the first `count` images with their labels.

    Args:
        digits: Images to take from.
        count: Number of images; None takes all.

    Returns:
        The first images, with the same split and source.

    Raises:
        InputError: `count` is not between 1 and the number of images.

    Example:
        >>> import torch
        >>> from relprop.data import Digits, first_digits
        >>> digits = Digits(torch.rand(5, 1, 28, 28), torch.arange(5), "test", "random pixels")
        >>> first_digits(digits, 2).labels.tolist()
        [0, 1]
    """
    available = len(digits.labels)
    if count is None:
        return digits
    if not 1 <= count <= available:
        raise InputError(
            f"{count} digits to use",
            f"1 to {available}, the number available ({digits.source})",
            "give a number in this range, or all",
        )
    return replace(digits, images=digits.images[:count], labels=digits.labels[:count])


def scale_pixels(pixels: Tensor) -> Tensor:
    """Turn bytes of n images into (n, 1, 28, 28) float32 in [0, 1]."""
    return pixels.reshape(-1, 1, 28, 28).to(torch.float32) / 255
