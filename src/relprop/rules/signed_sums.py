"""Runs gamma on layers of any sign: contributions of the output's own sign weigh more.

    n_ij = (1 + h) x_i w_ij + h |x_i w_ij| sign z_j        h = gamma / 2 = half_gamma

h may be another one for outputs > 0 than for outputs < 0. Takes h and what is known of a layer,
gives the function that runs it: two passes each way, where the positive and the negative part
would need four.

    s, t   (batch, *out)   R / denominator, and the same with the sign of z
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..graph.ir import Values
from .backward import Absorbed, Back, Form
from .linear_maps import bias_of, stabilised_sum, transposed, weighted_sum
from .lowered_layer import LoweredLayer, RunLayer
from .own_sum import activated, add_to, divided, fits
from .weights import STABILISER


def run_signed(half_gamma: float, layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by gamma = 2 half_gamma."""

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, weights = layer.read(values)
        magnitude = weights.magnitude(half_gamma)
        z = weighted_sum(linear_map, x, weights)
        result = activated(layer, values, z)
        sign = None if layer.nonnegative else x.sign()
        added = stabilised_sum(linear_map, x if layer.nonnegative else x.abs(), magnitude)
        denominator = add_to(added.copysign_(z), z, alpha=1 + half_gamma)
        multiply = _signed_multiplier(z, result, denominator, layer)
        shape = x.shape

        def pull(v: Tensor) -> Tensor:
            s, t = multiply(v)
            by_magnitude = linear_map.transpose(t, magnitude.raw, shape)
            by_magnitude = by_magnitude if sign is None else by_magnitude * sign
            by_weight = transposed(linear_map, s, weights, shape, overwrite=True)
            return add_to(by_magnitude, by_weight, alpha=1 + half_gamma)

        def absorbed(v: Tensor) -> Absorbed:
            s, t = multiply(v)
            bias = s * bias_of(linear_map, weights) * (1 + half_gamma)
            # Relevance itself may arrive at a sum of exactly 0, which passes nothing on.
            dropped = v * (s == 0) if layer.arriving is Form.RELEVANCE else torch.zeros_like(s)
            return {
                "bias": bias + t * bias_of(linear_map, magnitude),
                "stabiliser": t * STABILISER,
                "zero denominator": dropped,
            }

        return result, Back(pull, absorbed, multiply.release)

    return run


def run_signed_apart(gammas: tuple[float, float], layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by one gamma where z > 0, and another where z < 0."""

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, weights = layer.read(values)
        magnitude = weights.magnitude(1.0)
        z = weighted_sum(linear_map, x, weights)
        result = activated(layer, values, z)
        half = torch.full_like(z, gammas[0] / 2).masked_fill_(z < 0, gammas[1] / 2)
        sizes = weighted_sum(linear_map, x if layer.nonnegative else x.abs(), magnitude)
        denominator = (sizes * half + STABILISER).copysign(z) + z * (1 + half)
        multiply = _signed_multiplier(z, result, denominator, layer)
        sign, shape = None if layer.nonnegative else x.sign(), x.shape

        def pull(v: Tensor) -> Tensor:
            s, t = multiply(v)
            by_magnitude = linear_map.transpose(t * half, magnitude.raw, shape)
            by_magnitude = by_magnitude if sign is None else by_magnitude * sign
            by_weight = transposed(linear_map, s * (1 + half), weights, shape, overwrite=True)
            return add_to(by_magnitude, by_weight)

        def absorbed(v: Tensor) -> Absorbed:
            s, t = multiply(v)
            bias = s * (1 + half) * bias_of(linear_map, weights)
            dropped = v * (s == 0) if layer.arriving is Form.RELEVANCE else torch.zeros_like(s)
            return {
                "bias": bias + t * half * bias_of(linear_map, magnitude),
                "stabiliser": t * STABILISER,
                "zero denominator": dropped,
            }

        return result, Back(pull, absorbed, multiply.release)

    return run


def _signed_multiplier(
    z: Tensor, result: Tensor, denominator: Tensor, layer: LoweredLayer
) -> "SignedMultiplier":
    """Prepare the function from the relevance that arrives to s and t; 0 where z is 0.

    The denominator has the sign of z, and is overwritten.
    """
    of_one_sign = layer.activate is None or layer.keeps_sign
    if layer.arriving is Form.PER_UNIT and of_one_sign:
        share = divided(result, denominator)  # it is >= 0, so that its sign bit can hold z's
        return SignedMultiplier(share.copysign_(z), torch.mul, magnitude_first=True)
    denominator = denominator.masked_fill_(z == 0, torch.inf)
    return SignedMultiplier(
        denominator, torch.div, None if layer.arriving is Form.RELEVANCE else result
    )


class SignedMultiplier:
    """Combines what it is called with with a tensor and with its absolute value.

    The tensor has the sign of z, so that one of the two results is s, and the other one t.

    Attributes:
        result: What arrives is multiplied by it first, if given.
        magnitude_first: Whether s is the result of the absolute value.
    """

    def __init__(
        self,
        value: Tensor,
        operation: Callable[..., Tensor],
        result: Tensor | None = None,
        magnitude_first: bool = False,
    ) -> None:
        self._value = value
        self._operation = operation
        self._result = result
        self._magnitude_first = magnitude_first
        self._released = False

    def release(self) -> None:
        """Allow the next call, the last one, to overwrite the tensor."""
        self._released = True

    def __call__(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Compute s and t for the relevance v that arrives, of its shape."""
        r = v if self._result is None else v * self._result
        by_value = self._operation(r, self._value)
        out = self._value if self._released and fits(r, self._value) else None
        by_magnitude = self._operation(r, torch.abs(self._value, out=out), out=out)
        return (by_magnitude, by_value) if self._magnitude_first else (by_value, by_magnitude)
