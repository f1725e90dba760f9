"""The fill by a blurred copy of the image.

Takes images. Gives a fill. Must not know the model.

n  samples      c, h, w  of an image
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..images import require_images
from .base import Fill


def blur(sigma: float | None = None) -> Fill:
    """Replace by the image blurred with a Gaussian; beyond the border the edge pixels continue.

    Args:
        sigma: Standard deviation of the Gaussian, in pixels; None: a tenth of the longer side.

    Returns:
        The fill.

    Raises:
        InputError: When the fill is used, a batch that is not of images.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.zeros(1, 1, 3, 3)
        >>> x[..., 1, 1] = 1.0
        >>> centre = remove_units(x, x, 1 / 9, fill=blur(1.0))[0, 0, 1, 1]
        >>> round(float(centre), 4)  # (1 / 2.5066) ** 2, with the bell cut off at 3 sigma
        0.1592
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        require_images(x, 'fill="blur"')
        n, c, h, w = x.shape
        deviation = sigma or max(h, w) / 10
        radius = math.ceil(3 * deviation)
        at = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
        kernel = (-0.5 * (at / deviation) ** 2).exp()
        kernel = kernel / kernel.sum()
        v = F.pad(x.reshape(n * c, 1, h, w), (radius,) * 4, mode="replicate")
        across = F.conv2d(v, kernel[None, None, None])
        return F.conv2d(across, kernel[None, None, :, None]).reshape(x.shape)

    return Fill("blur", values)
