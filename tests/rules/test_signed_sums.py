"""Gamma on layers of any sign: by its formula, whatever arrives and is known of x."""

from functools import partial

import pytest
from helpers import reference_rules as reference
from helpers.dense_layer import assert_runs_by, dense_layer
from helpers.networks import signed

from relprop.rules.backward import Form
from relprop.rules.signed_sums import run_signed, run_signed_apart


@pytest.mark.parametrize("arriving", Form)
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("gamma", [0.25, 10.0])
def test_it_runs_by_its_formula(gamma, nonnegative, arriving):
    x = signed(3, 6).abs() if nonnegative else signed(3, 6)
    layer = dense_layer(x, arriving=arriving, nonnegative=nonnegative)
    assert_runs_by(partial(reference.gamma, gamma=gamma), run_signed(gamma / 2, layer), layer)


@pytest.mark.parametrize("arriving", Form)
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("gammas", [(0.25, 3.0), (0.5, 0.0), (0.0, 10.0)])
def test_each_sign_of_the_output_may_have_a_gamma_of_its_own(gammas, nonnegative, arriving):
    x = signed(3, 6).abs() if nonnegative else signed(3, 6)
    layer = dense_layer(x, arriving=arriving, nonnegative=nonnegative)
    formula = partial(reference.gamma_by_sign, positive=gammas[0], negative=gammas[1])
    assert_runs_by(formula, run_signed_apart(gammas, layer), layer)
