"""Imputation from neighbours: each removed pixel is a weighted mean of the eight around it.

Takes pictures and what of them is gone. Gives pictures, all solved at the same time.

n  samples      c, h, w  of a picture
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..removal.units import check_pictures
from .base import Fill

AT_ONCE = 256  # pictures that are solved together: a few copies of them are in memory


def neighbours(noise: float = 0.01, data: Tensor | None = None) -> Fill:
    """Noisy linear imputation (ROAD): where removed pixels were is hard to see in the picture.

    A removed pixel p is the solution of  sum_q w_pq x_p = sum_q w_pq x_q  over its neighbours q in
    the picture, removed ones too; w is 1/6 for the direct four and 1/12 for the diagonal four.
    Where nothing is left, it is the mean of the channel.

    noise  the standard deviation of what is added to it, in units of x
    data   (m, c, h, w) pictures of which the mean is taken; None: the batch itself
    Source: Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for Attribution
    Methods".
    """

    def values(x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
        check_pictures(x, 'fill="neighbours"')
        seen = x if data is None else data.to(x.device)
        start = seen.mean((0, 2, 3), keepdim=True).expand_as(x)
        parts = zip(*(torch.split(t, AT_ONCE) for t in (x, gone, start)), strict=True)
        solved = torch.cat([imputed(*part) for part in parts])
        drawn = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return solved + noise * drawn.to(x.device)

    return Fill("neighbours", values, each_step=True)


def imputed(x: Tensor, gone: Tensor, start: Tensor, *, tolerance: float = 1e-5) -> Tensor:
    """Pictures with what is gone solved for, without noise, by conjugate gradients.

    x, gone, start  (n, c, h, w); what is not gone stays; the solution is looked for from `start`
    tolerance       a picture is done when the residual is this fraction of the equations' sides
    The equations are symmetric, w_pq = w_qp, and positive definite wherever a pixel is left.
    """
    hole = gone.to(x.dtype)
    total = _around(torch.ones_like(x[:1, :1]))  # (1, 1, h, w), less at the border
    right = hole * _around(x * (1 - hole))

    def left(v: Tensor) -> Tensor:
        return hole * (total * v - _around(v))

    return torch.where(gone, _solved(left, right, hole * start, tolerance), x)


def _solved(
    left: Callable[[Tensor], Tensor], right: Tensor, start: Tensor, tolerance: float
) -> Tensor:
    """V with left(v) = right, by conjugate gradients: a system for each channel of each picture."""
    v, residual = start, right - left(start)
    scale = _dot(right, right) + _dot(v, v)  # of both sides: the right one is 0 if all is gone
    enough = tolerance**2 * scale
    direction, size = residual, _dot(residual, residual)
    for _ in range(4 * v.shape[2] * v.shape[3]):
        if not bool((size > enough).any()):
            break
        along = left(direction)
        step = _quotient(size, _dot(direction, along), size > enough)
        v, residual = v.addcmul(step, direction), residual.addcmul(step, along, value=-1)
        before, size = size, _dot(residual, residual)
        direction = residual.addcmul(_quotient(size, before, before > enough), direction)
    return v


def _around(v: Tensor) -> Tensor:
    """sum_q w_pq v_q over the neighbours q of each pixel p that lie in the picture, and p itself.

    12 w is the product of (1, 2, 1) down and (1, 2, 1) across. The weight of p itself is on both
    sides of its equation, and so in neither. Sums of shifted pictures are several times faster than
    a convolution of single channels.
    """
    padded = F.pad(v, (1, 1, 1, 1))
    down = (padded[:, :, :-2] + padded[:, :, 2:]).add_(padded[:, :, 1:-1], alpha=2)
    across = (down[..., :-2] + down[..., 2:]).add_(down[..., 1:-1], alpha=2)
    return across.div_(12)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)  # (n, c, 1, 1)


def _quotient(a: Tensor, b: Tensor, going: Tensor) -> Tensor:
    """The ratio a / b, and 0 for a system that is done, whose b may be 0."""
    return torch.where(going, a / b, 0.0)
