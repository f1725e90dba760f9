"""Shares whose denominators are derived sums: fast paths equal their formulas."""

import pytest
import torch
from helpers.dense_layer import dense_layer
from helpers.networks import signed

from relprop.rules import linear
from relprop.rules.backward import Form
from relprop.rules.executor import run_shares

SHARES = {
    "gamma": linear.gamma(gamma=0.25),
    "gamma, large": linear.gamma(gamma=100.0),
    "z-plus": linear.z_plus(),
    "alpha-beta": linear.alpha_beta(alpha=1.5, beta=0.5),
}


@pytest.mark.parametrize("arriving", Form)
@pytest.mark.parametrize("name", SHARES)
def test_what_is_known_of_a_layer_changes_no_number(name, arriving):
    """Inputs known to be >= 0 and outputs known to be > 0 take fewer passes, and give the same."""
    x, results = signed(3, 6).abs(), {}
    for known in (False, True):
        layer = dense_layer(x, arriving=arriving, nonnegative=known, rectified=known)
        z, back = run_shares(SHARES[name], layer)({})
        v = signed(3, 5, seed=4) * (z > 0)  # relevance arrives only where z > 0
        results[known] = (z, back.pull(v), back.absorbed(v))
    torch.testing.assert_close(results[True], results[False], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SHARES)
def test_the_last_pull_may_overwrite_and_gives_the_same(name):
    _, back = run_shares(SHARES[name], dense_layer())({})
    v = signed(3, 5, seed=4)
    want = back.pull(v)
    torch.testing.assert_close(back.pull(v), want, rtol=0, atol=0)
    back.release()
    pull = back.in_place or back.pull
    torch.testing.assert_close(pull(v.clone()), want, rtol=1e-14, atol=0)
