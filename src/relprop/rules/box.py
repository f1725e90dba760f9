"""Runs the z-box rule: shares by the distance of inputs from their smallest and largest values.

Takes the share with its bounds and what is known of a layer, gives the function that runs it.
"""

import torch
from torch import Tensor

from ..errors import InputError
from ..graph.ir import Values
from ..support.numerics import scalar, signed, stabilise
from .backward import Absorbed, Back, Form
from .executor import Factor, LoweredLayer, RunLayer, along_outputs, divided
from .shares import W_NEGATIVE, W_POSITIVE, Bound, Share, WeightFactor
from .weights import STABILISER


def run_box(share: Share, layer: LoweredLayer) -> RunLayer:
    """Build the function for the numerator x_i w_ij - l_i w_ij^+ - h_i w_ij^-.

    It is (x_i - l_i) w_ij^+ + (x_i - h_i) w_ij^-, which goes back in one pass with both weights.
    """
    low, high = _bound_of(share, W_POSITIVE), _bound_of(share, W_NEGATIVE)

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, weights = layer.read(values)
        weights = weights.whole
        positive, negative = weights.positive.raw, weights.negative.raw
        lowest, highest = bound(low, x[:1]), bound(high, x[:1])

        def sum_bounds() -> Tensor:
            """Sum l_i w_ij^+ + h_i w_ij^- over the inputs: it does not depend on x."""
            at_lowest = linear_map.forward(lowest.to(positive.dtype), positive, None)
            return at_lowest + linear_map.forward(highest.to(negative.dtype), negative, None)

        unbiased = linear_map.forward(x, weights.raw, None)  # the bias cancels: added, it rounds
        total = unbiased - weights.once(("bounds", x.shape[1:]), sum_bounds)
        z = unbiased + along_outputs(linear_map, weights)
        if layer.relu:
            z.relu_()
        result = z if layer.activate is None else layer.activate(values, z)
        denominator = stabilise(total, STABILISER)
        factor = (
            Factor(denominator, torch.div)
            if layer.arriving is Form.RELEVANCE
            else Factor(divided(result, denominator))
        )
        both = weights.once("signs", lambda: linear_map.concatenate(positive, negative))
        shape = x.shape

        def pull(v: Tensor) -> Tensor:
            by_positive, by_negative = linear_map.transpose_both(factor(v), both, shape)
            return (x - lowest) * by_positive + (x - highest) * by_negative

        def absorbed(v: Tensor) -> Absorbed:
            return {"stabiliser": factor(v) * signed(total, STABILISER)}

        return result, Back(pull, absorbed, factor.release)

    return run


def _bound_of(share: Share, weight: WeightFactor) -> float | Tensor:
    """Find the bound that stands beside a weight."""
    (term,) = (term for term in share.numerator.terms if term.weight == weight)
    assert isinstance(term.input, Bound)
    return term.input.value


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
