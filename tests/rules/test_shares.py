"""Formulas of rules, evaluated term by term on a dense layer, against the reference."""

import pytest
import torch
from helpers import reference_rules as reference
from helpers.networks import signed
from torch import Tensor

from relprop.rules import linear
from relprop.rules.shares import ONES, Bound, InputFactor, Relative, Share, Term, W, X
from relprop.rules.weights import Weights

RULES = {
    "zero": {},
    "epsilon": {"epsilon": 0.1},
    "gamma": {"gamma": 0.3},
    "gamma-by-sign": {"positive": 0.3, "negative": 1.5},
    "alpha-beta": {"alpha": 1.5, "beta": 0.5},
    "z-plus": {},
    "flat": {},
    "w-squared": {},
    "z-box": {"low": -1.5, "high": 2.0},
}
FACTORS = {
    InputFactor.X: lambda x: x,
    InputFactor.POSITIVE: lambda x: x.clamp(min=0),
    InputFactor.NEGATIVE: lambda x: x.clamp(max=0),
    InputFactor.MAGNITUDE: torch.abs,
    InputFactor.ONE: torch.ones_like,
}


def contributions(terms: tuple[Term, ...], x: Tensor, weight: Tensor, z: Tensor) -> Tensor:
    """Compute n_ij, (inputs, outputs), for x (inputs,) and weight (outputs, inputs)."""
    total = torch.zeros_like(weight.T)
    for term in terms:
        bound = isinstance(term.input, Bound)
        of_input = torch.full_like(x, term.input.value) if bound else FACTORS[term.input](x)
        of_weight = term.weight.derive(Weights(weight, None)).raw
        of_weight = torch.ones_like(weight) if term.weight == ONES else of_weight
        total += term.number * of_input[:, None] * of_weight.T * (z.sign() if term.signed else 1)
    return total


def evaluate(share: Share, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute the shares (inputs, outputs); the bias is the weight of an input of 1."""
    z = weight @ x + bias
    numerator = contributions(share.numerator.terms, x, weight, z)
    denominator = numerator.sum(0)
    if share.bias:
        of_bias = contributions(share.numerator.terms, torch.ones(1).to(x), bias[:, None], z)
        denominator += of_bias[0]
    stabiliser = share.stabiliser
    if isinstance(stabiliser, Relative):
        stabiliser = stabiliser.epsilon * z.square().mean().sqrt()
    return share.number * numerator / reference.stab(denominator, stabiliser)


@pytest.mark.parametrize("name", [*RULES, "epsilon, relative"])
def test_a_formula_is_that_of_the_reference(name):
    rule, _, relative = name.partition(", ")
    parameters = RULES[rule] | ({"relative": True} if relative else {})
    function = rule.replace("-", "_")
    x, weight, bias = signed(6), signed(5, 6, seed=2), signed(5, seed=3)
    shares = getattr(linear, function)(**parameters)
    got = sum(evaluate(share, x, weight, bias) for share in shares)
    layer = reference.Affine(x, weight, bias, torch.ones_like(weight))
    want = reference.RULES[rule](layer, **parameters)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_expressions_are_sums_of_terms():
    numerator = 2.0 * (X * W - 0.5 * (X * W).times_sign_of_output())
    first, second = numerator.terms
    assert (first.number, first.signed) == (2.0, False)
    assert (second.number, second.signed) == (-1.0, True)
    assert (-3.0 * Share(numerator)).number == -3.0
