"""Runs shares whose denominators are sums of derived terms: signed parts, squares, counts.

Takes the shares of a rule and a lowered layer, gives the function that runs the layer. Must not
know graphs, or which rule the shares are of.

    s  (batch, *out)  R / denominator, which is carried back along weights
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..graph.ir import Values
from .backward import Absorbed, Back, Cause, Form
from .linear_maps import LinearMap, bias_of, stabilised_sum, weighted_sum
from .lowered_layer import LoweredLayer, RunLayer
from .own_sum import Multiplier, activated, add_to, divided
from .shares import (
    ONE,
    ONES,
    X_NEGATIVE,
    X_POSITIVE,
    Bound,
    InputFactor,
    Share,
    Shares,
    Term,
    X,
    raised,
)
from .weights import STABILISER, Weights


def run_parts(shares: Shares, layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by sums of terms, each of one sign."""
    return _run_parts([_part(share, layer) for share in shares], layer)


def run_raised(gamma: float, layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by x_i (w_ij + gamma w_ij^+), for x >= 0 and z > 0."""
    return _run_parts([_Part((Term(X, raised(gamma)),), clamps=True)], layer)


@dataclass(frozen=True)
class _Part:
    """One share, as the passes that compute it.

    Attributes:
        terms: One pass each way for each. The bias that takes part is that of the first one's
            weights: it is the weight of an input of 1, which has no negative part.
        number: The factor of the share.
        sign: The sign of the denominator, 1 or -1.
        bias: Whether the bias takes part.
        clamps: Whether the denominator may have another sign where no relevance arrives.
    """

    terms: tuple[Term, ...]
    number: float = 1.0
    sign: int = 1
    bias: bool = True
    clamps: bool = False

    @property
    def constant(self) -> bool:
        """Tell whether the denominator does not depend on x: it is cached with the weights."""
        return self.terms[0].input is ONE


def _part(share: Share, layer: LoweredLayer) -> _Part:
    """Read a share. On inputs >= 0, x^+ is x, and terms with x^- are left out."""
    terms = share.numerator.terms
    sign = 1 if all(_is_positive(term) for term in terms) else -1
    if layer.nonnegative:
        terms = tuple(
            Term(X if term.input is X_POSITIVE else term.input, term.weight)
            for term in terms
            if term.input is not X_NEGATIVE
        )
    return _Part(terms, share.number, sign, share.bias)


def _is_positive(term: Term) -> bool:
    """Tell whether a term is >= 0: a product of two factors of one sign."""
    return (term.input is X_NEGATIVE) == (term.weight.name == "w^-")


def _run_parts(parts: Sequence[_Part], layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by its positive and negative parts, or by one sum."""
    both = len(parts) == 2  # the positive and the negative part, which add up to z

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, weights = layer.read(values)
        sums = [_denominator(part, x, linear_map, weights, stabilised=not both) for part in parts]
        z = sums[0] + sums[1] if both else weighted_sum(linear_map, x, weights)
        result = activated(layer, values, z)
        if both:
            sums = [
                total.add_(part.sign * STABILISER) for total, part in zip(sums, parts, strict=True)
            ]
        multipliers = [
            _multiplier(part, result, total, layer) for part, total in zip(parts, sums, strict=True)
        ]
        carry = _carry(parts, x, linear_map, weights)

        def split(v: Tensor, in_place: bool = False) -> list[Tensor]:
            first, *second = multipliers
            amounts = [first(v, in_place and not second), *(f(v, in_place) for f in second)]
            return [
                s * p.number if p.number != 1 else s for s, p in zip(amounts, parts, strict=True)
            ]

        def release() -> None:
            for multiplier in multipliers:
                multiplier.release()

        def absorbed(v: Tensor) -> Absorbed:
            empty = [_is_empty(part, x, linear_map, weights) for part in parts]
            return _absorbed(split(v), parts, empty, linear_map, weights)

        back = Back(lambda v: carry(split(v)), absorbed, release, lambda v: carry(split(v, True)))
        return result, back

    return run


def _multiplier(part: _Part, result: Tensor, total: Tensor, layer: LoweredLayer) -> Multiplier:
    """Prepare the function from the relevance that arrives to s = R / denominator."""
    if layer.arriving is Form.RELEVANCE:
        return Multiplier(total, torch.div, owned=not part.constant)
    return Multiplier(result / total if part.constant else divided(result, total))


def _denominator(
    part: _Part, x: Tensor, linear_map: LinearMap, weights: Weights, stabilised: bool
) -> Tensor:
    """Sum the terms over the inputs, in one pass for each term."""
    first, *others = part.terms
    derived = first.weight.derive(weights)
    if part.constant:
        return weights.once_for_size(
            (first.weight.name, "sum"),
            x.shape[1:],
            lambda: _constant_sum(first, x, linear_map, derived) + STABILISER,
        )
    forward = stabilised_sum if stabilised else weighted_sum
    total = forward(linear_map, _of(first.input, x), derived)
    for term in others:
        raw = term.weight.derive(weights).raw
        total = total.add_(linear_map.forward(_of(term.input, x), raw, None))
    return total.clamp_(min=STABILISER) if part.clamps else total


def _constant_sum(term: Term, x: Tensor, linear_map: LinearMap, weights: Weights) -> Tensor:
    """Sum the weights of a term over the inputs, for one sample: x_i is replaced by 1."""
    if term.weight == ONES:
        return linear_map.count(weights.raw, x.shape)
    return weighted_sum(linear_map, weights.raw.new_ones((1, *x.shape[1:])), weights)


def _of(factor: InputFactor | Bound, x: Tensor) -> Tensor:
    """Compute a factor of the inputs."""
    if factor is X_POSITIVE:
        return x.clamp(min=0)
    return x.clamp(max=0) if factor is X_NEGATIVE else x


def _carry(
    parts: Sequence[_Part], x: Tensor, linear_map: LinearMap, weights: Weights
) -> Callable[[list[Tensor]], Tensor]:
    """Prepare the function from one s for each part to relevance per unit of x.

    W and |W| would do for signed parts in half the passes, as for gamma. But where an output has
    contributions of one sign alone, s of the other part is without bound, and sums and differences
    of the two would cancel.
    """
    shape = x.shape

    def backward(term: Term) -> Callable[[Tensor], Tensor]:
        raw = term.weight.derive(weights).raw
        run = linear_map.spread if term.weight == ONES else linear_map.transpose
        return lambda s: run(s, raw, shape)

    negative = [
        (i, backward(t)) for i, p in enumerate(parts) for t in p.terms if t.input is X_NEGATIVE
    ]
    others = [
        (i, backward(t)) for i, p in enumerate(parts) for t in p.terms if t.input is not X_NEGATIVE
    ]
    is_positive = x.sign().clamp_(min=0) if negative else None

    def carry(s: list[Tensor]) -> Tensor:
        total = _add_up(s, others)
        if is_positive is None:
            return total
        below = _add_up(s, negative)
        return torch.lerp(below, total, is_positive.to(below.dtype))  # one or the other

    return carry


def _add_up(s: list[Tensor], passes: Sequence[tuple[int, Callable[[Tensor], Tensor]]]) -> Tensor:
    (i, backward), *others = passes
    total = backward(s[i])
    for i, backward in others:
        total = add_to(total, backward(s[i]))
    return total


def _is_empty(part: _Part, x: Tensor, linear_map: LinearMap, weights: Weights) -> Tensor:
    """Tell where no input and no bias contributes to the denominator: 0 but for the stabiliser."""
    if part.clamps:  # relevance arrives only where the sum is positive
        return torch.zeros((), dtype=torch.bool, device=x.device)
    total = _denominator(part, x, linear_map, weights, stabilised=False)
    return total == (STABILISER if part.constant else 0)


def _absorbed(
    amounts: list[Tensor],
    parts: Sequence[_Part],
    empty: Sequence[Tensor],
    linear_map: LinearMap,
    weights: Weights,
) -> Absorbed:
    """Compute what the bias and the stabilisers of the denominators absorb.

    The share of a part without contributions is neither passed on nor kept by the stabiliser: that
    stands alone in the denominator, and how large it is does not matter.
    """
    found: dict[Cause, Tensor] = {}
    for s, part, none in zip(amounts, parts, empty, strict=True):
        kept = part.sign * s * STABILISER
        lost: dict[Cause, Tensor] = {"stabiliser": kept * ~none, "zero denominator": kept * none}
        if part.bias:
            lost["bias"] = s * bias_of(linear_map, part.terms[0].weight.derive(weights))
        found = {cause: found.get(cause, 0) + lost[cause] for cause in lost}
    return found
