"""One share of the layer's own sum: LRP-0 and epsilon by their formula, whatever arrives."""

from functools import partial

import pytest
from helpers import reference_rules as reference
from helpers.dense_layer import assert_runs_by, dense_layer

from relprop.rules.backward import Form
from relprop.rules.own_sum import run_own_sum
from relprop.rules.shares import Relative

STABILISERS = {
    "exact": (0.0, reference.zero),
    "epsilon": (0.1, partial(reference.epsilon, epsilon=0.1)),
    "relative": (Relative(0.1), partial(reference.epsilon, epsilon=0.1, relative=True)),
}


@pytest.mark.parametrize("arriving", Form)
@pytest.mark.parametrize("name", STABILISERS)
def test_it_runs_by_its_formula(name, arriving):
    stabiliser, shares = STABILISERS[name]
    layer = dense_layer(arriving=arriving)
    assert_runs_by(shares, run_own_sum(stabiliser, layer), layer)
