"""Teachers: labels out of fold, of each task, the choice among models, and the time."""

import time

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from relprop.errors import InputError
from relprop.training.teacher import teach
from relprop.training.teacher_models import teacher_models

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4))
OTHERS = RANDOM.normal(size=(100, 4))


def taught(targets, task, outputs, **changes):
    options = {"teacher": "boosted", "seed": 0, "seconds": 60, **changes}
    return teach(X, targets, OTHERS, task=task, outputs=outputs, **options)


def test_a_row_is_labelled_by_a_model_that_has_not_seen_it():
    """Targets are coin tosses: who has seen them is right, who has not is as often wrong."""
    coins = RANDOM.integers(0, 2, 300)
    said = taught(coins, "classes", 2).labels
    seen = HistGradientBoostingClassifier(random_state=0).fit(X, coins).predict(X)
    assert (seen == coins).mean() > 0.95
    assert (said.argmax(1) == coins).mean() == pytest.approx(0.5, abs=0.1)


def test_a_row_is_labelled_by_a_model_that_has_not_seen_a_copy_of_it():
    half = RANDOM.integers(0, 2, 150)
    rows, coins = np.concatenate([X[:150], X[:150]]), np.concatenate([half, half])
    said = teach(
        rows, coins, OTHERS, task="classes", outputs=2, teacher="boosted", seed=0, seconds=60
    ).labels
    assert (said.argmax(1) == coins).mean() == pytest.approx(0.5, abs=0.15)
    np.testing.assert_array_equal(said[:150], said[150:])


def test_rows_of_few_values_are_no_copies():
    """All are equal: models are fitted on some of them, and say the shares of the classes."""
    coins = RANDOM.integers(0, 2, 300)
    said = teach(
        np.ones((300, 1)),
        coins,
        OTHERS[:, :1],
        task="classes",
        outputs=2,
        teacher="boosted",
        seed=0,
        seconds=60,
    ).labels
    np.testing.assert_allclose(said[:, 1], coins.mean(), atol=0.01)


def test_made_rows_are_labelled_by_the_mean_of_the_models():
    classes = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 1)
    lesson = taught(classes, "classes", 3)
    assert lesson.models == ("boosted trees",)
    assert lesson.made.shape == (100, 3)
    np.testing.assert_allclose(lesson.made.sum(1), 1, atol=1e-5)
    want = (OTHERS[:, 0] > 0).astype(np.int64) + (OTHERS[:, 1] > 1)
    assert (lesson.made.argmax(1) == want).mean() > 0.9
    true = lesson.labels[np.arange(300), classes]
    assert lesson.loss == pytest.approx(-np.log(true.clip(1e-3)).mean())


def test_labels_are_taught_one_by_one():
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.zeros(300)]).astype(np.float32)
    lesson = taught(labels, "labels", 3)
    assert ((lesson.labels > 0.5) == labels).mean(0).min() > 0.9
    assert (lesson.made[:, 2] == 0).all()


def test_a_value_is_taught():
    lesson = taught((X[:, :1] * 3).astype(np.float32), "value", 1)
    assert np.corrcoef(lesson.labels[:, 0], X[:, 0])[0, 1] > 0.97
    assert lesson.loss == pytest.approx(np.square(lesson.labels - X[:, :1] * 3).mean(), rel=1e-4)


def test_the_best_of_all_models_teaches():
    linear = (X @ [1.0, -1.0, 2.0, 0.5] > 0).astype(np.int64)
    lesson = taught(linear, "classes", 2, teacher="best")
    assert "boosted trees" not in lesson.models
    assert lesson.models[0] in ("support vector machine", "logistic regression")
    assert lesson.loss < taught(linear, "classes", 2).loss


def test_classes_of_one_row_are_never_predicted():
    classes = (X[:, 0] > 0).astype(np.int64)
    classes[0] = 2
    lesson = taught(classes, "classes", 3, teacher="best")
    assert (lesson.labels[:, 2] == 0).all()
    np.testing.assert_allclose(lesson.labels.sum(1), 1, atol=1e-5)


def test_of_classes_of_two_rows_the_shares_are_said():
    pairs = np.repeat(np.arange(10), 2)
    lesson = teach(
        X[:20], pairs, OTHERS, task="classes", outputs=10, teacher="best", seed=0, seconds=60
    )
    np.testing.assert_allclose(lesson.made.sum(1), 1, atol=1e-5)
    assert np.ptp(lesson.made) < 0.2


def test_without_time_there_is_no_teacher():
    started = time.monotonic()
    assert taught(RANDOM.integers(0, 2, 300), "classes", 2, teacher="best", seconds=0.01) is None
    assert time.monotonic() - started < 3


def test_models_of_one_seed_say_the_same():
    fit = teacher_models("boosted", "classes", 2, seed=3)["boosted trees"].fit
    classes = (X[:, 0] > 0).astype(np.int64)
    np.testing.assert_array_equal(fit(X, classes)(OTHERS), fit(X, classes)(OTHERS))


def test_a_classifier_predicts_as_scikit_learn_does():
    classes = (X[:, 0] > 0).astype(np.int64)
    fit = teacher_models("best", "classes", 2, seed=0)["logistic regression"].fit
    want = LogisticRegression(C=0.3, max_iter=2000).fit(X, classes).predict_proba(OTHERS)
    np.testing.assert_allclose(fit(X, classes)(OTHERS), want, atol=1e-6)


def test_an_unknown_teacher_is_refused():
    with pytest.raises(InputError, match="teacher is 'boostd'") as caught:
        taught(RANDOM.integers(0, 2, 300), "classes", 2, teacher="boostd")
    assert caught.value.todo == 'write "boosted"'
