"""Models of scikit-learn that may teach a network, by task, with one form of prediction.

Takes features and targets as arrays. Gives probabilities or values. Must not know frames, networks
or time.

n  rows      f  features      k  outputs
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import TaskKind
from ..support.arguments import check_one_of
from ..support.extras import needs

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]  # features (n, f) -> (n, k)
FitModel = Callable[[NDArray[Any], NDArray[Any]], Predict]
MakeEstimator = Callable[[], Any]  # an estimator that is not fitted

_BOOSTED, _SVM = "boosted trees", "support vector machine"
_TREES = 300
_ROWS_OF_A_CLASS = 3  # at least, or a classifier does not learn it; calibration needs as many


@dataclass(frozen=True)
class TeacherModel:
    """A model that may teach.

    Attributes:
        fit: Fits it to features (n, f) and targets: class numbers (n,), labels (n, k) or values
            (n, 1). Returns a function from features to probabilities, or values, (n, k).
        growth: Power of the number of rows by which its time grows.
    """

    fit: FitModel
    growth: float


def teacher_models(
    teacher: str, task: TaskKind, outputs: int, seed: int
) -> dict[str, TeacherModel]:
    """Return the models that a setting names, by their names.

    Args:
        teacher: "boosted": boosted trees; "best": these, a support vector machine, extremely
            randomised trees and a linear model, to choose from.
        task: What is predicted.
        outputs: Number k of outputs.
        seed: Of the models' random numbers.

    Raises:
        InputError: `teacher` is another one.
    """
    check_one_of("teacher", teacher, ("boosted", "best"))
    makers = _regressors(seed) if task == "value" else _classifiers(seed)
    chosen = list(makers) if teacher == "best" else [_BOOSTED]
    return {
        name: TeacherModel(_fitting(makers[name], task, outputs), 2.2 if name == _SVM else 1.0)
        for name in chosen
    }


def _classifiers(seed: int) -> dict[str, MakeEstimator]:
    with needs("fit", "models that teach a network"):
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import SVC
    return {
        _BOOSTED: lambda: HistGradientBoostingClassifier(random_state=seed),
        "extra trees": lambda: ExtraTreesClassifier(_TREES, random_state=seed),
        _SVM: lambda: CalibratedClassifierCV(SVC(C=3.0), ensemble=False, cv=3),
        "logistic regression": lambda: LogisticRegression(C=0.3, max_iter=2000),
    }


def _regressors(seed: int) -> dict[str, MakeEstimator]:
    with needs("fit", "models that teach a network"):
        from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
        from sklearn.linear_model import Ridge
        from sklearn.svm import SVR
    return {
        _BOOSTED: lambda: HistGradientBoostingRegressor(random_state=seed),
        "extra trees": lambda: ExtraTreesRegressor(_TREES, random_state=seed),
        _SVM: lambda: SVR(C=3.0),
        "ridge regression": lambda: Ridge(),
    }


def _fitting(make: MakeEstimator, task: TaskKind, outputs: int) -> FitModel:
    """Return the function that fits a model of one task."""
    if task == "value":
        return lambda x, y: _values(make().fit(x, y.reshape(-1)))
    if task == "classes":
        return lambda x, y: _probabilities(make, x, y, outputs)
    return lambda x, y: _of_each_label(make, x, y)


def _values(model: Any) -> Predict:
    return lambda x: model.predict(x)[:, None].astype(np.float32)


def _probabilities(make: MakeEstimator, x: NDArray[Any], y: NDArray[Any], outputs: int) -> Predict:
    """Fit a classifier; a class of too few rows has the probability 0.

    Where all classes have too few, their shares are what it says of each row.
    """
    counts = np.bincount(y, minlength=outputs)
    classes = np.flatnonzero(counts >= _ROWS_OF_A_CLASS)
    if not len(classes):
        shares = (counts / counts.sum()).astype(np.float32)
        return lambda features: np.tile(shares, (len(features), 1))
    rows = np.isin(y, classes)
    model = make().fit(x[rows], y[rows]) if len(classes) > 1 else None

    def predict(features: NDArray[Any]) -> NDArray[np.float32]:
        found = np.zeros((len(features), outputs), np.float32)
        found[:, classes] = 1.0 if model is None else model.predict_proba(features)
        return found

    return predict


def _of_each_label(make: MakeEstimator, x: NDArray[Any], y: NDArray[Any]) -> Predict:
    """Fit a classifier for each label."""
    each = [_probabilities(make, x, label.astype(np.int64), 2) for label in y.T]
    return lambda features: np.column_stack([predict(features)[:, 1] for predict in each])
