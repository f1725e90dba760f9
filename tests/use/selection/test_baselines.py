"""Rankings by other methods: of matrices by known answers, by networks with known weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from relprop.data.dataset import Dataset, DataTarget
from relprop.search.folds import Fold
from relprop.search.prepared import PreparedData
from relprop.use.selection.baselines import (
    SampleMatrix,
    lasso,
    mutual_information,
    permutation_importance,
    recursive_elimination,
)
from relprop.use.selection.held_out import HeldOutModel
from relprop.use.selection.modalities import features_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype(np.float32)
EVERY = np.arange(6)
MATRIX_METHODS = [mutual_information, lasso, recursive_elimination]


def matrix(target, entries=EVERY, count=6):
    return SampleMatrix(X, np.asarray(entries), target, count, seed=0)


def classes(values):
    names = tuple(map(str, range(int(values.max()) + 1)))
    return DataTarget("classes", names, np.asarray(values, np.int64))


@pytest.mark.parametrize("method", MATRIX_METHODS)
def test_features_of_classes_a_value_and_labels_are_found(method):
    two = method(matrix(classes(X[:, 4] - 2 * X[:, 1] > 0)))
    assert np.argsort(-two)[:2].tolist() == [1, 4]
    three = method(matrix(classes(np.digitize(X[:, 5], [-0.5, 0.5]))))
    assert three.argmax() == 5
    value = method(matrix(DataTarget("value", ("v",), 3.0 * X[:, 2] + 2 * X[:, 0])))
    assert np.argsort(-value)[:2].tolist() == [2, 0]
    labels = np.stack([X[:, 3] > 0, X[:, 0] > 0, np.ones(300)], 1).astype(np.float32)
    both = method(matrix(DataTarget("labels", ("a", "b", "c"), labels)))
    assert set(np.argsort(-both)[:2]) == {0, 3}


@pytest.mark.parametrize("method", MATRIX_METHODS)
def test_a_feature_of_several_entries_is_ranked_by_the_best_of_them(method):
    target = classes(X[:, 4] > 0)
    importance = method(matrix(target, entries=[0, 0, 1, -1, 2, 2], count=4))
    assert importance.shape == (4,)
    assert importance.argmax() == 2
    assert importance[3] == 0 or method is recursive_elimination  # it has no entry at all
    assert importance.argmin() == 3 or importance.min() == 0


def test_the_elimination_drops_a_tenth_at_a_time_and_keeps_the_order_within():
    rng = np.random.default_rng(1)
    centred = rng.normal(size=(400, 25))
    x = np.linalg.qr(centred - centred.mean(0))[0].astype(np.float32)  # without correlation
    target = DataTarget("value", ("v",), (x * np.arange(25)).sum(1).astype(float))
    numbers = SampleMatrix(x, np.arange(25), target, 25, seed=0)
    importance = recursive_elimination(numbers)
    assert np.argsort(importance).tolist() == list(range(25))
    assert np.floor(importance).astype(int)[:6].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_shuffled_feature_raises_the_loss_by_what_a_network_takes_from_it():
    """Of a sum 3 a + b, shuffling gives squared errors of 2 * 9 and 2 * 1 variances."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(4000, 3)), columns=list("abc"))
    value = 3 * frame["a"] + frame["b"]
    target = DataTarget("value", ("v",), value.to_numpy())
    data = PreparedData(
        Dataset(
            "made",
            "table",
            frame,
            tuple(map(str, range(4000))),
            target,
            np.full(4000, "train"),
            dict.fromkeys("abc", "number"),
        )
    )
    rows, features = np.arange(4000), features_of(data.dataset)
    settings = features.settings(data, features.testing_family(), 4000)
    preparation = data.preparation(rows, settings)
    network = nn.Linear(3, 1)
    spread = frame.std(ddof=0).to_numpy() / value.std(ddof=0)
    with torch.no_grad():  # the true function, of standardised numbers
        network.weight.copy_(torch.tensor([[3 * spread[0], spread[1], 0.0]]))
        network.bias.zero_()
    model = StandIn(preparation, (network,))
    importance = permutation_importance(
        data, features, [HeldOutModel(model, Fold(rows, rows))], seed=0
    )
    want = 2 * np.array([9 * frame["a"].var(), frame["b"].var(), 0]) / value.var()
    np.testing.assert_allclose(importance / 4000, want, rtol=0.03, atol=1e-6)


class StandIn:
    """A model whose network is known."""

    def __init__(self, preparation, networks):
        self.preparation, self.networks = preparation, networks
