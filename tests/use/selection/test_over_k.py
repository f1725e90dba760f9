"""Accuracy over k: nothing of a test part is seen by a ranking or by a model."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.small_fits import numbers

from relprop.errors import InputError
from relprop.use import accuracy_over_k
from relprop.use.selection.over_k import OverK, measure_over_k
from relprop.use.selection.rankers import RANKERS

X = np.random.default_rng(0).normal(size=(240, 6))


def test_models_of_the_columns_that_decide_are_as_good_as_models_of_all(short_training):
    y = X[:, 1] + X[:, 4] > 0
    measured = accuracy_over_k(X, y, [2, 1], folds=2, random_state=0)
    assert measured.ks == (1, 2)
    assert measured.score_name == "accuracy"
    assert measured.stability(2)[[1, 4]].tolist() == [1, 1]
    assert measured.sufficient == 2
    assert measured.estimate(2).mean > 0.93
    assert measured.estimate(1).mean < 0.85
    assert measured.gain(2).mean > -0.02
    assert sorted(measured.rows) == list(range(240))


def test_columns_that_tell_nothing_are_no_better_than_chance(short_training):
    """Ranked on all samples, the best of 200 random columns would seem to tell something."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 200)), rng.integers(0, 2, 90)
    measured = accuracy_over_k(x, y, [5], methods=["mutual information"], folds=3, random_state=0)
    assert abs(measured.estimate(5, "mutual information").mean - 0.5) < 3 * 0.5 / 90**0.5


def test_rankings_and_models_see_the_training_part_of_their_fold_alone(short_training):
    """Values of the test part are changed: importance and models do not."""
    data = numbers(rows=60)
    seen = []

    def ranker(task):
        seen.append(task.rows)
        others = np.setdiff1d(np.arange(60), task.rows)
        assert task.data.dataset.rows("train").tolist() == task.rows.tolist()
        assert task.data.dataset.rows("test").tolist() == others.tolist()
        return np.array([0.0, 3.0, 1.0, 2.0])

    what = OverK((2,), {"relevance": ranker}, outer=3, inner=2, seed=0)
    measured = measure_over_k(data, np.arange(60), what)
    tested = [np.setdiff1d(np.arange(60), rows) for rows in seen]
    assert np.array_equal(measured.rows, np.concatenate(tested))
    assert len(np.unique(measured.rows)) == 60
    assert measured.importance["relevance"].tolist() == [[0, 3, 1, 2]] * 3


def test_a_value_is_scored_by_the_share_of_its_variance(short_training):
    value = 100 + 5 * X[:, 2]
    measured = accuracy_over_k(pd.DataFrame(X), value, [1], folds=2, random_state=0)
    assert measured.score_name == "R^2"
    assert measured.estimate(1).mean > 0.9
    assert measured.gain(1).mean > -0.02


@pytest.mark.slow
def test_models_of_the_same_features_are_trained_once(short_training):
    def first(task):
        return np.array([4.0, 3.0, 2.0, 1.0])

    what = OverK((2,), {"relevance": first, "again": first}, outer=2, inner=2, seed=0)
    measured = measure_over_k(numbers(rows=30), np.arange(30), what)
    assert torch.equal(measured.scores["relevance"], measured.scores["again"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ks": [7]}, r"k is 7\n.*1 to 6\n.*k=6"),
        ({"ks": [0, 2]}, r"k is 0"),
        ({"ks": []}, r"no k"),
        ({"methods": ["lasso"]}, r"method"),
        ({"methods": []}, r"no method"),
        ({"folds": 1}, r"folds is 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        accuracy_over_k(X, X[:, 0] > 0, **{"ks": [2], "random_state": 0, **options})


def test_one_column_or_one_class_alone_is_refused():
    with pytest.raises(InputError, match=r"one column alone\n.*two columns"):
        accuracy_over_k(X[:, :1], X[:, 0] > 0, [1])
    with pytest.raises(InputError, match="one class alone"):
        accuracy_over_k(X, np.ones(240, int), [1])


@pytest.mark.slow
def test_every_method_ranks(short_training):
    y = X[:, 1] > 0
    measured = accuracy_over_k(X, y, [1], methods=list(RANKERS), folds=2, random_state=0)
    for name in RANKERS:
        assert measured.stability(1, name).tolist() == [0, 1, 0, 0, 0, 0], name
