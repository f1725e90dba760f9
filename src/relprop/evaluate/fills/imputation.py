"""Imputation from neighbours: each removed pixel is a weighted mean of the eight around it.

Takes images and what is removed of them. Gives images, all solved at the same time. Must not know
the model.

n  samples      c, h, w  of an image
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..images import require_images
from .base import Fill

IMAGES_AT_ONCE = 256  # solved together: a few copies of them are in memory


def neighbours(noise: float = 0.01, data: Tensor | None = None) -> Fill:
    """Replace by noisy linear imputation (ROAD): it is hard to see which pixels were removed.

    Removed pixels p solve  sum_q w_pq x_p = sum_q w_pq x_q  over the neighbours q in the image,
    removed ones too, with w = 1/6 for the direct four and 1/12 for the diagonal four. Where no
    pixel of a channel is left, they are the channel's mean.

    Args:
        noise: Standard deviation of the noise that is added, in units of x.
        data: Images to take channel means over, (m, c, h, w); None: the batch itself.

    Returns:
        The fill, which is computed at every step.

    Raises:
        InputError: When the fill is used, a batch that is not of images.

    Example:
        >>> from relprop.evaluate import remove_units
        >>> x = torch.full((1, 1, 3, 3), 2.0)
        >>> x[..., 1, 1] = 7.0
        >>> imputed = remove_units(x, x, 1 / 9, fill=neighbours(noise=0.0))
        >>> round(float(imputed[0, 0, 1, 1]), 4)
        2.0

    Source: Rong et al. 2022, "A consistent and efficient evaluation strategy for attribution
    methods".
    """

    def values(x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
        require_images(x, 'fill="neighbours"')
        samples = x if data is None else data.to(x.device)
        start = samples.mean((0, 2, 3), keepdim=True).expand_as(x)
        blocks = zip(*(torch.split(t, IMAGES_AT_ONCE) for t in (x, removed, start)), strict=True)
        solved = torch.cat([impute(*block) for block in blocks])
        drawn = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return solved + noise * drawn.to(x.device)

    return Fill("neighbours", values, each_step=True)


def impute(x: Tensor, removed: Tensor, start: Tensor, *, tolerance: float = 1e-5) -> Tensor:
    """Solve for the removed pixels of images, without noise, by conjugate gradients.

    The equations are symmetric, w_pq = w_qp, and positive definite wherever a pixel is left.

    Args:
        x: Images, (n, c, h, w); pixels that are not removed stay as they are.
        removed: Pixels to solve for, boolean of the same shape.
        start: First guess of the solution, of the same shape.
        tolerance: An image is done when its residual is this fraction of both sides' norm.
    """
    unknown = removed.to(x.dtype)
    total = _neighbour_sum(torch.ones_like(x[:1, :1]))  # (1, 1, h, w), less at the border
    right = unknown * _neighbour_sum(x * (1 - unknown))

    def left(v: Tensor) -> Tensor:
        return unknown * (total * v - _neighbour_sum(v))

    return torch.where(removed, _conjugate_gradients(left, right, unknown * start, tolerance), x)


def _conjugate_gradients(
    left: Callable[[Tensor], Tensor], right: Tensor, start: Tensor, tolerance: float
) -> Tensor:
    """Solve left(v) = right for v, a system for each channel of each image."""
    v, residual = start, right - left(start)
    # both sides count, because the right one is 0 where everything is removed
    scale = _dot(right, right) + _dot(v, v)
    enough = tolerance**2 * scale
    direction, size = residual, _dot(residual, residual)
    for _ in range(4 * v.shape[2] * v.shape[3]):
        if not bool((size > enough).any()):
            break
        along = left(direction)
        step = _ratio(size, _dot(direction, along), size > enough)
        v, residual = v.addcmul(step, direction), residual.addcmul(step, along, value=-1)
        before, size = size, _dot(residual, residual)
        direction = residual.addcmul(_ratio(size, before, before > enough), direction)
    return v


def _neighbour_sum(v: Tensor) -> Tensor:
    """Compute sum_q w_pq v_q over the neighbours q of each pixel p in the image, and p itself.

    12 w is the product of (1, 2, 1) down and (1, 2, 1) across. The weight of p itself is on both
    sides of its equation, and so cancels.
    """
    # sums of shifted images are several times faster than a convolution of single channels
    padded = F.pad(v, (1, 1, 1, 1))
    down = (padded[:, :, :-2] + padded[:, :, 2:]).add_(padded[:, :, 1:-1], alpha=2)
    across = (down[..., :-2] + down[..., 2:]).add_(down[..., 1:-1], alpha=2)
    return across.div_(12)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)  # (n, c, 1, 1)


def _ratio(a: Tensor, b: Tensor, unfinished: Tensor) -> Tensor:
    """Return a / b, and 0 for a system that is solved, whose b may be 0."""
    return torch.where(unfinished, a / b, 0.0)
