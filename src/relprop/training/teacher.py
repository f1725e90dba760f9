"""What models of scikit-learn say of training rows and of rows that were made of them.

Takes features and targets. Gives soft labels, within a time. A row is never labelled by a model
that was fitted on it, or on a copy of it. Must not know networks.

n  training rows      m  made rows      f  features      k  outputs
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import TaskKind
from ..data.split import are_copies
from .teacher_models import TeacherModel, teacher_models

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
class _Rows:
    """Training rows as the models take them."""

    features: NDArray[Any]
    targets: NDArray[Any]
    task: TaskKind
    outputs: int

    def parts(self, seed: int) -> list[NDArray[np.int64]]:
        """Split them at random; copies stay together, and classes are spread over the parts."""
        _, first, copy_of = np.unique(self.features, axis=0, return_index=True, return_inverse=True)
        if not are_copies(copy_of):
            first = copy_of = np.arange(len(self.targets))
        order = np.random.default_rng(seed).permutation(len(first))
        if self.task == "classes":
            order = order[np.argsort(self.targets[first[order]], kind="stable")]
        count = min(_PARTS, len(order))
        part_of = np.empty(len(first), np.int64)
        part_of[order] = np.arange(len(order)) % count
        return [np.flatnonzero(part_of[copy_of] == part) for part in range(count)]

    def loss(self, labels: NDArray[np.float32]) -> float:
        """Return the mean negative log-likelihood of labels (n, k), or squared error of values."""
        if self.task == "value":
            return float(np.square(labels - self.targets).mean())
        if self.task == "labels":
            true = np.where(self.targets > 0, labels, 1 - labels)
        else:
            true = np.take_along_axis(labels, self.targets[:, None], axis=1)
        return float(-np.log(np.clip(true, _LEAST, 1)).mean())


@dataclass(frozen=True)
class _Candidate:
    """What a model says that was fitted on all parts but one, for each part."""

    name: str
    labels: NDArray[np.float32]
    made: NDArray[np.float32]
    loss: float


def teach(
    features: NDArray[Any],
    targets: NDArray[Any],
    made: NDArray[Any],
    *,
    teacher: str,
    task: TaskKind,
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
    rows = _Rows(features, targets, task, outputs)
    parts = rows.parts(seed)
    found = [
        _candidate(name, model, rows, made, parts, ends)
        for name, model in teacher_models(teacher, task, outputs, seed).items()
    ]
    best = _best([one for one in found if one is not None], rows)
    if not best:
        return None
    labels = _mean([one.labels for one in best])
    return Taught(
        models=tuple(one.name for one in best),
        labels=labels,
        made=_mean([one.made for one in best]),
        loss=rows.loss(labels),
    )


def _candidate(
    name: str,
    model: TeacherModel,
    rows: _Rows,
    made: NDArray[Any],
    parts: list[NDArray[np.int64]],
    ends: float,
) -> _Candidate | None:
    """Fit a model without each part; None where the time is too short."""
    if not _may_be_fitted(model, rows, ends):
        return None
    labels = np.zeros((len(rows.targets), rows.outputs), np.float32)
    of_made = np.zeros((len(made), rows.outputs), np.float32)
    for number, part in enumerate(parts, 1):
        started = time.monotonic()
        others = np.setdiff1d(np.arange(len(labels)), part, assume_unique=True)
        predict = model.fit(rows.features[others], rows.targets[others])
        labels[part] = predict(rows.features[part])
        of_made += predict(made) / len(parts)
        now = time.monotonic()
        if now + (now - started) * (len(parts) - number) > ends:
            return None
    return _Candidate(name, labels, of_made, rows.loss(labels))


def _may_be_fitted(model: TeacherModel, rows: _Rows, ends: float) -> bool:
    """Tell whether a model can be fitted once, by the time that few rows take.

    That is often too much, as some stop sooner on many rows: whether there is time for each part is
    known when the first one is done.
    """
    count = len(rows.targets)
    few = np.linspace(0, count - 1, min(_TRIAL_ROWS, count), dtype=np.int64)
    started = time.monotonic()
    if started >= ends:
        return False
    if count > _TRIAL_ROWS:
        model.fit(rows.features[few], rows.targets[few])(rows.features[few])
    now = time.monotonic()
    whole = (now - started) * (count / len(few)) ** model.growth
    return bool(now + whole < ends)


def _best(candidates: list[_Candidate], rows: _Rows) -> list[_Candidate]:
    """Return the candidate of least loss, and each next one that lowers the loss of the mean."""
    best: list[_Candidate] = []
    for one in sorted(candidates, key=lambda one: one.loss):
        labels = [other.labels for other in best]
        if not best or rows.loss(_mean([*labels, one.labels])) < rows.loss(_mean(labels)):
            best.append(one)
    return best


def _mean(said: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.mean(said, axis=0))
