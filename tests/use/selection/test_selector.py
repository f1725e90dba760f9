"""Feature selection as scikit-learn's: columns that decide are kept, of arrays and of frames."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from relprop.errors import InputError
from relprop.use import RelevanceSelector, accuracy_over_k, select_features

RNG = np.random.default_rng(0)
X = RNG.normal(size=(250, 12))


def test_columns_that_decide_together_alone_are_found():
    """The sign of a product: no column by itself tells anything of the class."""
    x = np.random.default_rng(3).normal(size=(400, 8))
    y = x[:, 2] * x[:, 7] > 0
    selector = select_features(x, y, k=2, folds=2, random_state=0)
    assert selector.get_support(indices=True).tolist() == [2, 7]
    assert selector.ranking_.stability(2)[[2, 7]].tolist() == [1, 1]
    assert selector.importances_.sum() == pytest.approx(1)
    np.testing.assert_array_equal(selector.transform(x), x[:, [2, 7]])


def test_a_value_and_words_as_classes(short_training):
    value = select_features(
        X, 3 * X[:, 4] - 2 * X[:, 9] + 0.1 * X[:, 0], k=2, folds=2, random_state=0
    )
    assert value.get_support(indices=True).tolist() == [4, 9]
    words = np.where(X[:, 5] > 0.5, "high", np.where(X[:, 1] > 0, "mid", "low"))
    classes = select_features(X, words, k=2, folds=2, random_state=0).ranking_
    assert classes.classes == ("high", "low", "mid")
    assert classes.by_class.argmax(1).tolist()[0] == 5


def test_a_frame_of_several_kinds_keeps_its_columns(short_training):
    rng = np.random.default_rng(1)
    shape = rng.choice(["round", "square", "long"], 300)
    width = np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300))
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=300),
            "shape": shape,
            "same": "x",
            "width": width,
            "other": rng.choice(["a", "b"], 300),
        },
        index=np.arange(300) * 7,
    )
    y = pd.Series(np.where((shape == "round") | (np.nan_to_num(width) > 1), "yes", "no"))
    selector = RelevanceSelector(k=2, folds=2, random_state=0).set_output(transform="pandas")
    chosen = selector.fit_transform(frame, y)
    assert chosen.columns.tolist() == ["shape", "width"]
    assert selector.get_feature_names_out().tolist() == ["shape", "width"]
    assert selector.importances_[2] == 0
    assert selector.ranking_.names == tuple(frame.columns)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_and_it_is_a_step_of_a_pipeline(short_training):
    y = X[:, 3] + X[:, 6] > 0
    model = make_pipeline(RelevanceSelector(2, folds=2, random_state=4), LogisticRegression())
    model.fit(X, y)
    again = clone(model[0]).fit(X, y)
    np.testing.assert_array_equal(model[0].importances_, again.importances_)
    other = clone(model[0]).set_params(random_state=5).fit(X, y)
    assert not np.array_equal(again.importances_, other.importances_)
    assert model.score(X, y) > 0.95
    assert RelevanceSelector(random_state=0, folds=2).fit(X, y).get_support().sum() == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k": 0}, r"k is 0\n.*1 to 12\n"),
        ({"k": 13}, r"k is 13\n.*1 to 12\n.*k=12"),
        ({"k": 2.0}, r"k is 2\.0\n.*a whole number"),
        ({"k": True}, r"k is True"),
        ({"folds": 1}, r"folds is 1\n.*2 to 250\n.*folds=2"),
        ({"folds": 251}, r"folds is 251"),
    ],
)
def test_numbers_that_cannot_be_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        select_features(X, X[:, 0] > 0, **{"k": 2, **options})


def test_too_few_rows_are_refused():
    frame = pd.DataFrame({"word": list("abcab"), "number": range(5)})
    with pytest.raises(InputError, match=r"5 samples\n.*6 at least"):
        select_features(frame, [0, 1, 0, 1, 0], k=1)
    with pytest.raises(ValueError, match="minimum of 6 is required"):
        select_features(X[:5], [0, 1, 0, 1, 0], k=1)


@pytest.mark.parametrize("missing", [None, np.nan, np.inf])
def test_missing_targets_are_refused(missing):
    frame = pd.DataFrame({"word": list("abcabc"), "number": range(6)})
    for call in (partial(select_features, k=1), partial(accuracy_over_k, ks=[1], folds=2)):
        with pytest.raises(InputError, match="y without 1 of 6 targets") as caught:
            call(frame, np.array([0.5, 1.5, 0.5, 1.5, 2.5, missing], float))
    assert caught.value.todo == "leave out samples whose y is missing, empty or infinite"


def test_columns_of_one_name_are_refused():
    for twice in (pd.DataFrame(X[:, :2]), pd.DataFrame([["x", 1]] * 6)):
        twice.columns = ["a", "a"]
        with pytest.raises(InputError, match="two columns with the name 'a'"):
            select_features(twice, np.arange(len(twice)) % 2, k=1)


def test_one_class_alone_is_refused():
    with pytest.raises(InputError, match="one class alone"):
        select_features(X, np.ones(250, int), k=2)


@pytest.mark.slow
def test_it_is_an_estimator_of_scikit_learn(short_training):
    found = check_estimator(RelevanceSelector(random_state=0, folds=2), on_fail=None, on_skip=None)
    wrong = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
    assert wrong == {}
    assert sum(one["status"] == "passed" for one in found) > 40
