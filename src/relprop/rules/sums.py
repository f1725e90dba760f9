"""The rules of sums z = x + y: of two paths, as in residual blocks; of tokens and positions.

Without a rule, relevance per unit of z is that of both summands, R_x = x / z R: much where they
cancel. The rules of two paths share R by sizes that do not, and leave a sum with a constant as it
is. That of positions takes a sum with a constant, and leaves all others.

x, y   the summands, with their factors      ^+   positive part
"""

import torch
from torch import Tensor

from ..support.numerics import divide, times
from .autodiff import Traced
from .backward import Absorbed, Back
from .nonlinear import by_vjp


def positive_sum(op: Traced) -> Back:
    """Share a sum among its positive summands: R_x = x^+ / (x^+ + y^+) R.

    z-plus, with the sum as a layer whose weights are 1. Absorbs what arrives where neither is > 0.

    Source: Montavon et al. 2017 (z-plus).
    """
    return by_vjp(op) if len(op.x) < 2 else _shared(op, [s.clamp(min=0) for s in _summands(op)])


def absolute_sum(op: Traced) -> Back:
    """Share a sum by the sizes of its summands: R_x = |x| / (|x| + |y|) R.

    Absorbs what arrives where both are 0, which is nothing per unit of z.

    Source: Otsuki et al. 2024 (Layer-wise Relevance Propagation with Conservation Property for
    ResNet), the ratio-based splitting of relevance at residual connections.
    """
    return by_vjp(op) if len(op.x) < 2 else _shared(op, [s.abs() for s in _summands(op)])


def position_to_token(op: Traced) -> Back:
    """Keep what a constant y receives, such as a position embedding, at the token that it is of.

    R_x,d = x_d c_d + |x_d| / (sum_d |x_d|) sum_d y_d c_d for the features d of a token, the last
    dimension of z: its sum is the relevance of the token and of its position. Without the rule, the
    second term is absorbed. Absorbs it where a token is 0 in all features.

    Source: Bakish et al. 2025 (PA-LRP), who add up the relevance of tokens and of positions. That
    the latter is shared among features by |x_d| is ours: so it goes on to what a token is made of.
    """
    if len(op.x) > 1:
        return by_vjp(op)
    constant = op.at(0)
    token = op.z - constant
    total = token.abs().sum(-1, keepdim=True)

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        of_position = times(c, constant).sum(-1, keepdim=True)
        return op.vjp(c + token.sign() * divide(of_position, total))

    return Back(pull, lambda c: {"constants": times(c, constant) * (total == 0)})


def _summands(op: Traced) -> tuple[Tensor, Tensor]:
    """Return the two summands with their factors, of the shape of z."""
    x, y = op.x
    first = op.function(x, torch.zeros_like(y))
    return first, op.function(torch.zeros_like(x), y)


def _shared(op: Traced, sizes: list[Tensor]) -> Back:
    """Give each summand its share, size / (sum of sizes) R; the VJP sums over broadcasting."""
    total = sizes[0] + sizes[1]
    signs = [size.sign() * s.sign() for size, s in zip(sizes, _summands(op), strict=True)]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        per_size = divide(c * op.z, total)
        return tuple(op.vjp(per_size * sign)[i] for i, sign in enumerate(signs))

    def absorbed(c: Tensor) -> Absorbed:
        return {"zero denominator": times(c, op.z) * (total == 0)}

    return Back(pull, absorbed)
