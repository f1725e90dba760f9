"""Piecewise linear features: the definition, edges of both kinds, missing and constant columns."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from relprop.prepare.piecewise_linear import PiecewiseLinear


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(200, 3))


def reference(x, edges):
    """The definition, in loops: 0 below a bin, 1 above it, linear inside."""
    features = []
    for value in x:
        row = []
        for low, high in pairwise(edges):
            row.append(
                0.0 if value < low else 1.0 if value >= high else (value - low) / (high - low)
            )
        features.append(row)
    return np.array(features)


@pytest.mark.parametrize("by", ["quantile", "tree"])
def test_features_equal_their_definition(x, by):
    fitted = PiecewiseLinear(6, by).fit(x, (x[:, 0] > 0.3).astype(int))
    others = np.random.default_rng(1).normal(size=(50, 3)) * 2
    want = [reference(others[:, i], fitted.edges_[i]) for i in range(3)]
    np.testing.assert_allclose(fitted.transform(others), np.concatenate(want, axis=1))


def test_quantiles_put_as_many_rows_in_each_bin(x):
    edges = PiecewiseLinear(4).fit(x).edges_[1]
    counts, _ = np.histogram(x[:, 1], edges)
    assert counts.tolist() == [50, 50, 50, 50]


def test_a_tree_splits_where_the_target_changes(x):
    edges = PiecewiseLinear(2, "tree").fit(x, (x[:, 0] > 0.3).astype(int)).edges_[0]
    below, above = x[x[:, 0] <= 0.3, 0].max(), x[x[:, 0] > 0.3, 0].min()
    assert len(edges) == 3
    assert edges[1] == pytest.approx((below + above) / 2)


def test_a_tree_splits_for_a_value_too(x):
    edges = PiecewiseLinear(2, "tree").fit(x, np.where(x[:, 2] > -0.5, 7.5, 1.5)).edges_[2]
    below, above = x[x[:, 2] <= -0.5, 2].max(), x[x[:, 2] > -0.5, 2].min()
    assert edges[1] == pytest.approx((below + above) / 2)


def test_a_missing_number_stays_missing_and_a_constant_column_has_no_features():
    x = np.array(
        [[0.0, 5.0, np.nan], [1.0, 5.0, np.nan], [np.nan, 5.0, np.nan], [3.0, 5.0, np.nan]]
    )
    fitted = PiecewiseLinear(2).fit(x)
    assert [len(edges) for edges in fitted.edges_] == [3, 0, 0]
    want = [[0, 0], [1, 0], [np.nan, np.nan], [1, 1]]
    np.testing.assert_array_equal(fitted.transform(x), want)
    assert fitted.intervals() == [(0, 0.0, 1.0), (0, 1.0, 3.0)]


@parametrize_with_checks([PiecewiseLinear(4)])
def test_scikit_learn_can_use_it(estimator, check):
    check(estimator)
