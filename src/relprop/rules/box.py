"""Runs the z-box rule: shares by the distance of inputs from their smallest and largest values.

Takes the bounds and a lowered layer, gives the function that runs it.
"""

import torch
from torch import Tensor

from ..errors import InputError
from ..graph.ir import Values
from ..support.numerics import scalar, signed, stabilise
from .backward import Absorbed, Back, Form
from .linear_maps import unbiased_and_whole_sum
from .lowered_layer import LoweredLayer, RunLayer
from .own_sum import Multiplier, activated, divided
from .weights import STABILISER


def run_box(low: float | Tensor, high: float | Tensor, layer: LoweredLayer) -> RunLayer:
    """Build the function for the numerator x_i w_ij - l_i w_ij^+ - h_i w_ij^-.

    It is (x_i - l_i) w_ij^+ + (x_i - h_i) w_ij^-, which goes back in one pass with both weights.

    Args:
        low: l, a number or a tensor that broadcasts to one sample.
        high: h, likewise.
        layer: The layer.
    """

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, folded = layer.read(values)
        weights = folded.with_scale_applied
        positive, negative = weights.positive.raw, weights.negative.raw
        lowest, highest = bound(low, x[:1]), bound(high, x[:1])

        def sum_bounds() -> Tensor:
            """Sum l_i w_ij^+ + h_i w_ij^- over the inputs: it does not depend on x."""
            at_lowest = linear_map.forward(lowest.to(positive.dtype), positive, None)
            return at_lowest + linear_map.forward(highest.to(negative.dtype), negative, None)

        unbiased, z = unbiased_and_whole_sum(linear_map, x, folded)
        # The bias cancels: added, it would round.
        total = unbiased - weights.once_for_size("bounds", x.shape[1:], sum_bounds)
        result = activated(layer, values, z)
        denominator = stabilise(total, STABILISER)
        multiply = (
            Multiplier(denominator, torch.div)
            if layer.arriving is Form.RELEVANCE
            else Multiplier(divided(result, denominator))
        )
        both = weights.once("signs", lambda: linear_map.concatenate(positive, negative))
        shape = x.shape

        def pull(v: Tensor) -> Tensor:
            by_positive, by_negative = linear_map.transpose_both(multiply(v), both, shape)
            return (x - lowest) * by_positive + (x - highest) * by_negative

        def absorbed(v: Tensor) -> Absorbed:
            lost = multiply(v) * signed(total, STABILISER)
            # All inputs at their bounds, or all weights zero: the stabiliser stands alone.
            return {"stabiliser": lost * (total != 0), "zero denominator": lost * (total == 0)}

        return result, Back(pull, absorbed, multiply.release)

    return run


def bound(value: float | Tensor, sample: Tensor) -> Tensor:
    """Expand a bound to the shape of one sample. Raises InputError if it does not broadcast."""
    tensor = scalar(value, sample).to(sample)
    try:
        return tensor.expand(sample.shape)
    except RuntimeError:
        shape = tuple(sample.shape[1:])
        raise InputError(
            f"a z-box bound of shape {tuple(tensor.shape)} for a sample of shape {shape}",
            "a number, or a tensor that broadcasts to one sample",
            "write one number per channel: (channels, 1, 1)",
        ) from None
