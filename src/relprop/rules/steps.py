"""The rules of step functions, whose derivative is 0 or none: a derivative takes its place.

z = f(u)   of a comparison, u is the difference of what it compares, and z is 1 or 0

What arrives is c, relevance per unit of z, and u receives c g(u): g is the derivative of a
surrogate, as spiking and quantised nets are trained with. Each rule absorbs z - u g(u), what the
surrogate leaves out.
"""

import math

import torch
from torch import Tensor

from ..support.numerics import times
from .autodiff import Traced
from .backward import Absorbed, Back


def straight_through(op: Traced) -> Back:
    """Give c itself, as if f were the identity: g(u) = 1. At a detach, as if it were not there.

    Source: Bengio et al. 2013.
    """
    return _by_derivative(op, torch.ones_like(op.x[0]))


def fast_sigmoid(op: Traced, *, slope: float = 25.0) -> Back:
    """Give the derivative of a fast sigmoid: g(u) = 1 / (1 + slope |u|)^2.

    The larger the slope, the faster it falls off on either side of the threshold.

    Source: Zenke and Ganguli 2018; the default is that of snntorch.
    """
    return _by_derivative(op, (1 + slope * op.x[0].abs()).square().reciprocal())


def arctan(op: Traced, *, slope: float = 2.0) -> Back:
    """Give the derivative of an arc tangent: g(u) = slope / 2 / (1 + (pi slope u / 2)^2).

    The larger the slope, the steeper the surrogate is at the threshold.

    Source: Fang et al. 2021; the default is that of snntorch.
    """
    return _by_derivative(op, slope / 2 / (1 + (math.pi * slope / 2 * op.x[0]).square()))


def _by_derivative(op: Traced, derivative: Tensor) -> Back:
    """Build the backward pass that gives c g(u), for the derivative g(u)."""
    (u,) = op.x

    def absorbed(c: Tensor) -> Absorbed:
        return {"linearisation": times(c, op.z - u * derivative)}

    return Back(lambda c: ((c * derivative).sum_to_size(u.shape).to(u.dtype),), absorbed)
