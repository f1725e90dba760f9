"""Secants of activations from zero: how much an activation changes per unit of its input.

An activation f with a finite f(0) != 0 is f(0), which does not depend on the input, and the rest.
Relevance per unit of x is the secant's slope (f(x) - f(0)) / x, which lies between slopes of f:
c f(x) / x would have no bound near x = 0. Near zero the difference is computed without
cancellation. A logarithm or a negative power has no finite f(0): its slope is the derivative at x.

x   the input of the activation       y   its result f(x)       rise   f(x) - f(0)
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..graph.ir import Node, Values
from ..support.numerics import quotient

_POWERS = {"reciprocal": -1.0, "rsqrt": -0.5}


class _Secant(NamedTuple):
    """The rise of an activation, as a function of x and its further arguments; its slope at 0."""

    rise: Callable[..., Tensor]
    slope: float


def secant(node: Node, x: Tensor, y: Tensor, values: Values) -> Tensor:
    """Compute (f(x) - f(0)) / x of an activation; where x is 0, the derivative f'(0).

    Args:
        node: The activation.
        x: Its input.
        y: Its result.
        values: All values by name, which hold its parameters.
    """
    known = _SECANTS.get(node.operation)
    rest = node.resolve_args(values)[1:]
    rise = known.rise(x, *rest, **node.kwargs) if known else y - at_zero(node, values)
    zero = x == 0
    return torch.where(zero, known.slope if known else 0.0, rise / torch.where(zero, 1, x))


def slope(node: Node, x: Tensor, y: Tensor) -> Tensor:
    """Compute the derivative f'(x) of an activation without a finite f(0), such as a logarithm.

    A power x^p has p f(x) / x: relevance per unit of x gives p times the relevance of f(x).
    """
    if node.operation == "log":
        return quotient(torch.ones_like(x), x)
    power = node.args[1] if node.operation == "pow" else _POWERS[node.operation]
    return power * quotient(y, x)


def at_zero(node: Node, values: Values) -> Tensor:
    """Compute f(0) of an activation, as a tensor that broadcasts to its result."""
    (name, *_) = node.inputs
    constant: Tensor = node.run({**values, name: values[name].new_zeros(())})
    return constant


def _of_exp(x: Tensor) -> Tensor:
    return x.expm1()


def _of_sigmoid(x: Tensor) -> Tensor:
    return (x / 2).tanh() / 2


def _of_hardsigmoid(x: Tensor) -> Tensor:
    return (x / 6).clamp(-0.5, 0.5)


def _of_cos(x: Tensor) -> Tensor:
    return -2 * (x / 2).sin().square()


def _of_softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    z = beta * x
    far = torch.nn.functional.softplus(z, threshold=threshold) - math.log(2)
    near = (z.clamp(-1, 1).expm1() / 2).log1p()  # log((1 + e^z) / 2)
    return torch.where(z.abs() < 1, near, far) / beta


def _of_log_sigmoid(x: Tensor) -> Tensor:
    return -_of_softplus(-x)


_SECANTS: Mapping[str, _Secant] = {
    "exp": _Secant(_of_exp, 1.0),
    "sigmoid": _Secant(_of_sigmoid, 0.25),
    "hardsigmoid": _Secant(_of_hardsigmoid, 1 / 6),
    "cos": _Secant(_of_cos, 0.0),
    "softplus": _Secant(_of_softplus, 0.5),
    "log_sigmoid": _Secant(_of_log_sigmoid, 0.5),
}
