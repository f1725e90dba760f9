"""Importances of columns: the form is that of scikit-learn, the numbers are of relevance."""

import sys

import numpy
import pandas
import polars
import pytest
import torch
from helpers.networks import randomise
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance
from torch import nn

import relprop
from relprop.integrations.sklearn import relevance_importance

X = numpy.random.default_rng(0).normal(size=(2000, 4))
FRAME = pandas.DataFrame(X, columns=["age", "job=a", "job=b", "hours"])
GROUPS = {"job": ["job=a", "job=b"]}


@pytest.fixture(scope="module")
def model():
    return randomise(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))).eval()


def relevance(model, target=None, recipe="auto") -> numpy.ndarray:
    x = torch.tensor(X, dtype=torch.float32)
    return relprop.explain(model, x, recipe, target).relevance.double().numpy()


def test_importance_is_mean_absolute_relevance_and_its_spread(model):
    sizes = numpy.abs(relevance(model))
    found = relevance_importance(model, X)
    numpy.testing.assert_allclose(found.importances, sizes.T, atol=1e-6)
    numpy.testing.assert_allclose(found.importances_mean, sizes.mean(0), atol=1e-6)
    numpy.testing.assert_allclose(found.importances_std, sizes.std(0), atol=1e-6)
    assert found.feature_names == ["0", "1", "2", "3"]


def test_the_form_is_that_of_scikit_learn(model):
    class Classifier(ClassifierMixin, BaseEstimator):
        classes_ = numpy.arange(3)

        def fit(self, x, y):
            return self

        def predict(self, x):
            return model(torch.tensor(x, dtype=torch.float32)).argmax(1).numpy()

    labels = Classifier().predict(X)
    theirs = permutation_importance(Classifier(), X, labels, n_repeats=3, random_state=0)
    ours = relevance_importance(model, X)
    assert type(ours) is type(theirs)
    assert set(theirs) == set(ours) - {"feature_names"}
    for name in theirs:
        assert ours[name].ndim == theirs[name].ndim
        assert len(ours[name]) == len(theirs[name]) == 4


def test_groups_are_summed_before_the_absolute_value(model):
    values = relevance(model, 1, "epsilon")
    want = numpy.abs(numpy.stack([values[:, 0], values[:, 1] + values[:, 2], values[:, 3]]))
    found = relevance_importance(relprop.Explainer(model, "epsilon"), FRAME, 1, groups=GROUPS)
    assert found.feature_names == ["age", "job", "hours"]
    numpy.testing.assert_allclose(found.importances, want, atol=1e-6)
    apart = numpy.abs(values[:, 1]) + numpy.abs(values[:, 2])
    assert not numpy.allclose(found.importances[1], apart)


@pytest.mark.parametrize(
    "table",
    [polars.DataFrame(FRAME.to_dict("list")), torch.tensor(X), FRAME.astype("float32")],
    ids=["polars", "tensor", "float32"],
)
def test_the_kind_of_table_does_not_matter(model, table):
    found, want = relevance_importance(model, table), relevance_importance(model, FRAME)
    numpy.testing.assert_allclose(found.importances, want.importances, atol=1e-6)
    named = not isinstance(table, torch.Tensor)
    assert found.feature_names == (list(FRAME.columns) if named else ["0", "1", "2", "3"])


def test_a_class_for_each_row(model):
    labels = numpy.arange(len(X)) % 3
    found = relevance_importance(model, FRAME, labels)
    want = numpy.abs(relevance(model, torch.tensor(labels))).mean(0)
    numpy.testing.assert_allclose(found.importances_mean, want, atol=1e-6)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (pandas.DataFrame({"a": ["x", "y"]}), {}, r"more than numbers(.|\n)*get_dummies"),
        (X[0], {}, r"X of shape \(4,\)"),
        (FRAME, {"groups": {"job": ["job=c"]}}, "column 'job=c'"),
        (FRAME, {"target": "all"}, "several targets"),
        (X[:, :3], {}, "4"),
    ],
)
def test_bad_input(model, table, options, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relevance_importance(model, table, **options)


def test_scikit_learn_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.utils", None)
    monkeypatch.delattr(relprop.integrations, "sklearn")
    monkeypatch.delitem(sys.modules, "relprop.integrations.sklearn")
    with pytest.raises(relprop.errors.MissingExtraError, match=r"relprop\[evaluate\]"):
        _ = relprop.integrations.sklearn
