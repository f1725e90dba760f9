"""What models of scikit-learn say of training rows and of rows that were made of them.

Takes features and targets. Gives soft labels, within a time. A row is never labelled by a model
that was fitted on it. Must not know networks.

n  training rows      m  made rows      f  features      k  outputs
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Task
from ..support.extras import needs
from .teacher_models import FitModel, Predict, TeacherModel, teacher_models

_PARTS = 5  # of the training rows: models are fitted without one, and label that one
_TRIAL_ROWS = 1000  # on which the time of a model is measured before it is fitted on all rows
_LEAST = 1e-3  # of a probability, in its logarithm


@dataclass(frozen=True)
class Taught:
    """What models said.

    Attributes:
        models: Names of the models, the best first.
        labels: Of each training row, by models that were not fitted on it, (n, k).
        made: Of each made row, by the mean of the models of all parts, (m, k).
        loss: Loss of `labels`: mean negative log-likelihood, or squared error.
    """

    models: tuple[str, ...]
    labels: NDArray[np.float32]
    made: NDArray[np.float32]
    loss: float


@dataclass(frozen=True)
class _Candidate:
    """A model fitted on all parts but one, for each part."""

    name: str
    labels: NDArray[np.float32]
    predicts: tuple[Predict, ...]
    loss: float


def teach(
    features: NDArray[Any],
    targets: NDArray[Any],
    made: NDArray[Any],
    *,
    teacher: str,
    task: Task,
    outputs: int,
    seed: int,
    seconds: float,
) -> Taught | None:
    """Label training rows and made rows by models that are fitted on the training rows.

    Args:
        features: Of the training rows, (n, f).
        targets: Class numbers (n,), labels (n, k) or values (n, 1).
        made: Features of the made rows, (m, f).
        teacher: "boosted" or "best"; see `teacher_models`. Of "best", the model of least loss
            teaches, with those that lower the loss of the mean.
        task: What is predicted.
        outputs: Number k of outputs.
        seed: Of the parts, and of the models.
        seconds: Time that it may take. A model that would take longer is left out.

    Returns:
        The labels; None where the time is too short for any model.

    Raises:
        InputError: `teacher` is not known.
    """
    ends = time.monotonic() + seconds
    models = teacher_models(teacher, task, outputs, seed)
    parts = _parts(targets, task, seed)
    found = [
        _candidate(name, model.fit, features, targets, parts, task, ends)
        for name, model in models.items()
        if _fits_in_time(model, features, targets, ends)
    ]
    best = _best([one for one in found if one is not None], targets, task)
    if not best:
        return None
    labels = _mean(best)
    of_made = [np.mean([predict(made) for predict in one.predicts], axis=0) for one in best]
    return Taught(
        models=tuple(one.name for one in best),
        labels=labels,
        made=np.mean(of_made, axis=0),
        loss=_loss(labels, targets, task),
    )


def _parts(targets: NDArray[Any], task: Task, seed: int) -> list[NDArray[np.int64]]:
    """Split the rows; each class is in as many parts as it has rows."""
    with needs("fit", "models that teach a network"):
        from sklearn.model_selection import KFold
    count = min(_PARTS, len(targets))
    order = np.random.default_rng(seed).permutation(len(targets))
    if task == "classes":  # rows of a class beside each other, dealt out to the parts in turn
        order = order[np.argsort(targets[order], kind="stable")]
        return [np.sort(order[start::count]) for start in range(count)]
    return [np.sort(order[held_out]) for _, held_out in KFold(count).split(order)]


def _fits_in_time(
    model: TeacherModel, features: NDArray[Any], targets: NDArray[Any], ends: float
) -> bool:
    """Tell whether a model can be fitted without each part, by the time that few rows take."""
    few = np.linspace(0, len(features) - 1, min(_TRIAL_ROWS, len(features)) // 2, dtype=np.int64)
    left, started = ends - time.monotonic(), time.monotonic()
    if left <= 0:
        return False
    model.fit(features[few], targets[few])(features[few])
    growth = (len(features) / len(few)) ** model.growth
    return (time.monotonic() - started) * growth * _PARTS < left


def _candidate(
    name: str,
    fit: FitModel,
    features: NDArray[Any],
    targets: NDArray[Any],
    parts: list[NDArray[np.int64]],
    task: Task,
    ends: float,
) -> _Candidate | None:
    """Fit a model without each part; None where time ends before the last one."""
    labels, predicts = None, []
    for number, part in enumerate(parts):
        started = time.monotonic()
        others = np.setdiff1d(np.arange(len(targets)), part, assume_unique=True)
        predicts.append(fit(features[others], targets[others]))
        said = predicts[-1](features[part])  # (rows of the part, k)
        labels = np.zeros((len(targets), said.shape[1]), np.float32) if labels is None else labels
        labels[part] = said
        seconds = time.monotonic() - started
        if time.monotonic() + seconds * (len(parts) - 1 - number) > ends:
            return None
    return _Candidate(name, labels, tuple(predicts), _loss(labels, targets, task))


def _best(candidates: list[_Candidate], targets: NDArray[Any], task: Task) -> list[_Candidate]:
    """Return the candidate of least loss, and each next one that lowers the loss of the mean."""
    best: list[_Candidate] = []
    for one in sorted(candidates, key=lambda one: one.loss):
        with_it = [*best, one]
        if not best or _loss(_mean(with_it), targets, task) < _loss(_mean(best), targets, task):
            best = with_it
    return best


def _mean(candidates: list[_Candidate]) -> NDArray[np.float32]:
    return np.asarray(np.mean([one.labels for one in candidates], axis=0))


def _loss(labels: NDArray[np.float32], targets: NDArray[Any], task: Task) -> float:
    """Return the mean negative log-likelihood of labels (n, k), or the squared error of values."""
    if task == "value":
        return float(np.square(labels - targets).mean())
    if task == "labels":
        true = np.where(targets > 0, labels, 1 - labels)
    else:
        true = np.take_along_axis(labels, targets[:, None], axis=1)
    return float(-np.log(np.clip(true, _LEAST, 1)).mean())
