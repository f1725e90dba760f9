"""Runs the shares of a rule on a layer: chooses among the ways that there are.

    own_sum       one share with the layer's own sum as its denominator: LRP-0, epsilon
    derived_sums  positive and negative parts, squares, counts; gamma on x >= 0 and z > 0
    signed_sums   gamma on layers of any sign, and a gamma for each sign of the output
    box           z-box

Takes the shares and a lowered layer, gives the function that runs it. Each way is for numerators of
just one form; shares of any other form are an error, never run as if they were of these.
"""

from ..errors import RuleError
from .box import run_box
from .derived_sums import run_parts, run_raised
from .linear import NEGATIVE, POSITIVE, SAME_SIGN
from .lowered_layer import LoweredLayer, RunLayer
from .own_sum import run_own_sum
from .shares import ONE, ONES, W_NEGATIVE, W_POSITIVE, W_SQUARED, Bound, Share, Shares, W, X
from .signed_sums import run_signed, run_signed_apart
from .weights import STABILISER


def run_shares(shares: Shares, layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by the shares of a rule.

    Raises RuleError for shares that there is no way to run.
    """
    share = shares[0]
    if shares == (Share(X * W, stabiliser=share.stabiliser),):
        return run_own_sum(share.stabiliser, layer)
    if _are_parts(shares):
        return run_parts(shares, layer)
    gamma = 2 * share.numerator.terms[-1].number
    if shares == (Share(X * W + gamma * SAME_SIGN),):
        # Where x_i >= 0 and z_j > 0, the part of x_i w_ij with the sign of z_j is x_i w_ij^+.
        known = layer.nonnegative and layer.rectified
        return run_raised(gamma, layer) if known else run_signed(gamma / 2, layer)
    gammas = _gammas_by_sign(shares)
    if gammas is not None:
        known = layer.nonnegative and layer.rectified
        return run_raised(gammas[0], layer) if known else run_signed_apart(gammas, layer)
    bounds = [term.input for term in share.numerator.terms[1:]]
    if len(shares) == 1 and len(bounds) == 2 and _is_box(share):
        low, high = bounds
        assert isinstance(low, Bound)
        assert isinstance(high, Bound)
        return run_box(low.value, high.value, layer)
    raise RuleError(
        f"shares that there is no way to run: {shares}",
        "the forms that relprop.rules.executor names",
        "add one there, and compare it with its formula",
    )


def _are_parts(shares: Shares) -> bool:
    """Tell whether shares are the positive part, both parts, counts or squares."""
    if len(shares) == 2:
        positive, negative = shares
        parts = (positive.number * Share(POSITIVE), negative.number * Share(NEGATIVE))
        return shares == parts
    alone = (Share(POSITIVE), Share(ONE * ONES, bias=False), Share(ONE * W_SQUARED))
    return shares in [(share,) for share in alone]


def _gammas_by_sign(shares: Shares) -> tuple[float, float] | None:
    """Return gamma for outputs > 0 and for outputs < 0; None for shares of another form."""
    terms = shares[0].numerator.terms
    if len(terms) != 5:
        return None
    mean, half = 2 * terms[2].number, 2 * terms[4].number
    by_sign = mean * SAME_SIGN + half * SAME_SIGN.times_sign_of_output()
    return (mean + half, mean - half) if shares == (Share(X * W + by_sign),) else None


def _is_box(share: Share) -> bool:
    """Tell whether a numerator is x_i w_ij - l_i w_ij^+ - h_i w_ij^-."""
    of_input, *of_bounds = share.numerator.terms
    plain = (share.stabiliser, share.bias, share.number) == (STABILISER, False, 1.0)
    forms = [(type(t.input), t.weight, t.number, t.signed) for t in of_bounds]
    expected = [(Bound, W_POSITIVE, -1.0, False), (Bound, W_NEGATIVE, -1.0, False)]
    return plain and (of_input,) == (X * W).terms and forms == expected
