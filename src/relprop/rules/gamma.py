"""Gamma's ways back: contributions of an output's own sign weigh more, by a factor of 1 + gamma.

s      what is carried back along the weights: R_j by the denominator of its share
apart  s with the sign of z
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .backward import Absorbed, Back, Form
from .layer import STABILISER, WeightedSum
from .scaling import added, alike, carried


def raised(step: WeightedSum, gamma: float) -> Back:
    """From outputs > 0 to inputs >= 0: with W + gamma W^+ in place of W."""
    weights = step.weights.raised(gamma)
    above = step.stabilised(step.x, weights).clamp_(min=STABILISER)  # >= z where relevance arrives
    share, bias = step.share(above, reuse=True), step.bias(weights)

    def absorbed(v: Tensor) -> Absorbed:
        s = share(v)
        return {"bias": s * bias, "stabiliser": s * STABILISER}

    return carried(share, step.carry(weights), absorbed)


def tilted(step: WeightedSum, half: float) -> Back:
    """From outputs or to inputs of either sign, in two passes each way, for half = gamma / 2.

    The sum for outputs > 0 is (1 + half) z + half sum |x w|, that for outputs < 0 the difference.
    """
    z, sizes = step.z, step.weights.sizes(half)
    sign = None if step.nonnegative else step.x.sign()
    apart = step.stabilised(step.x if step.nonnegative else step.x.abs(), sizes)
    split = _split(step, added(apart.copysign_(z), z, alpha=1 + half))
    by_weight, by_sizes = step.carry(step.weights, own=True), step.carry(sizes)
    bias, size = step.bias(step.weights), step.bias(sizes)
    drops = step.arriving is Form.RELEVANCE  # which may arrive where z is zero

    def pull(v: Tensor) -> Tensor:
        s, apart = split(v)
        pulled = by_sizes(apart)
        return added(pulled if sign is None else pulled * sign, by_weight(s), alpha=1 + half)

    def absorbed(v: Tensor) -> Absorbed:
        s, apart = split(v)
        dropped = v * (s == 0) if drops else 0
        return {
            "bias": s * bias * (1 + half) + apart * size,
            "stabiliser": apart * STABILISER + dropped,
        }

    return Back(pull, absorbed, split.release)


def _split(step: WeightedSum, denominator: Tensor) -> "_Split":
    """The function from the relevance that arrives to s and apart; 0 and 0 where z is 0.

    denominator  with the sign of z; nobody else's
    """
    of_one_sign = step.activation is None or step.relu or step.keeps_sign
    if step.arriving is Form.GRADIENT and of_one_sign:
        room = None if torch.is_grad_enabled() else denominator
        share = torch.div(step.result, denominator, out=room)  # >= 0: its sign bit holds z's
        return _Split(share.copysign_(step.z), torch.mul, by_size_first=True)
    denominator = denominator.masked_fill_(step.z == 0, torch.inf)
    result = None if step.arriving is Form.RELEVANCE else step.result
    return _Split(denominator, torch.div, result)


class _Split:
    """By |value| and by value, a tensor with the sign of z: s and apart, or apart and s.

    result  what arrives is multiplied by it first, if given
    """

    def __init__(
        self,
        value: Tensor,
        operation: Callable[..., Tensor],
        result: Tensor | None = None,
        by_size_first: bool = False,
    ) -> None:
        self._value = value
        self._operation = operation
        self._result = result
        self._by_size_first = by_size_first
        self._released = False

    def release(self) -> None:
        """The next call is the last."""
        self._released = True

    def __call__(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """For the relevance that arrives as `v`: s and apart, of its shape."""
        r = v if self._result is None else v * self._result
        by_value = self._operation(r, self._value)
        room = self._value if self._released and alike(r, self._value) else None
        by_size = self._operation(r, torch.abs(self._value, out=room), out=room)
        return (by_size, by_value) if self._by_size_first else (by_value, by_size)
