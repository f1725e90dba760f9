"""Validation of small data: every sample is predicted by a model that has not learned it.

Takes prepared data and a recipe. Gives the outputs of all folds together. Must not know the search.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundles.content import TrialState
from ..data.dataset import Dataset
from ..data.fingerprint import hash_samples
from ..data.split import are_copies
from ..support.extras import needs
from ..training.objectives import score
from .model import FittedModel, TrainingRecipe, mean_output, train_model
from .prepared import PreparedData, Rows

_WATCHED = 5  # the part of the validation samples that is not learned in the end: one in so many
_FEW = 50  # validation samples of which a part would say little


@dataclass(frozen=True)
class Fold:
    """A part of the samples that is predicted by a model of the others.

    Attributes:
        train: Samples that are learned, by number.
        validation: Samples that are predicted.
    """

    train: Rows
    validation: Rows


def make_folds(dataset: Dataset, rows: Rows, count: int, seed: int) -> tuple[Fold, ...]:
    """Divide samples into folds; of classes each fold has its share where there are enough.

    Copies of a sample are in one fold, as they are in one part of the data.

    Args:
        dataset: The data set.
        rows: Samples to divide.
        count: Number of folds; fewer where there are fewer samples, copies counted once.
        seed: Random seed.
    """
    with needs("fit", "validation on folds"):
        from sklearn.model_selection import (
            GroupKFold,
            KFold,
            StratifiedGroupKFold,
            StratifiedKFold,
        )
    values = dataset.target.values[rows]
    hashes = hash_samples(dataset.modality, dataset.take(rows))
    different = len(np.unique(hashes))
    together = different < len(hashes) and are_copies(hashes)
    count = min(count, different if together else len(rows))
    kind = GroupKFold if together else KFold
    if dataset.target.task == "classes" and _smallest_class(values) >= count:
        kind = StratifiedGroupKFold if together else StratifiedKFold
    groups = hashes if together else None
    parts = kind(count, shuffle=True, random_state=seed).split(rows, values, groups)
    # classes that are spread over few copies may leave a fold empty
    return tuple(Fold(rows[train], np.sort(rows[rest])) for train, rest in parts if len(rest))


def cross_validate(
    data: PreparedData,
    recipe: TrainingRecipe,
    folds: tuple[Fold, ...],
    *,
    seconds: float,
    on_fold: Callable[[float, float], bool],
) -> FittedModel:
    """Train a model on each fold, and put together what they give for what they have not learned.

    Weights are those at the end of a training: a fold does not choose among them, since the model
    that is trained on everything cannot.

    Args:
        data: The samples.
        recipe: What to train.
        folds: The folds.
        seconds: The most time for all of them.
        on_fold: Is told the share of folds that are done, and the score of all that they gave; True
            stops.

    Returns:
        A model without networks: its outputs and score are those of all samples, in the order of
        their numbers. None of these if it was stopped or diverged.
    """
    started, parts = time.monotonic(), list[Tensor]()
    states, notes = list[TrialState](), list[str]()
    for number, fold in enumerate(folds, 1):
        left = max(seconds - (time.monotonic() - started), 1e-3)
        model = train_model(
            data, recipe, fold.train, None, seconds=left / (len(folds) + 1 - number)
        )
        inputs = data.inputs(model.preparation, fold.validation)
        parts.append(mean_output(model.networks, inputs, recipe.device))
        states.append(model.state)
        notes.append(model.note)
        model = replace(model, networks=(), seconds=time.monotonic() - started)
        if model.state == "diverged" or not parts[-1].isfinite().all():
            return replace(model, state="diverged")
        outputs = _in_order(folds[:number], parts)
        reached = score(outputs, data.targets(all_rows(folds[:number])), model.facts.task)
        if number < len(folds) and on_fold(number / len(folds), reached):
            return replace(model, state="pruned")
    state: TrialState = "time" if "time" in states else "done"
    note = next(filter(None, notes), "")
    return replace(model, state=state, outputs=outputs, score=reached, note=note)


def learn_most(dataset: Dataset, train: Rows, validation: Rows, seed: int) -> tuple[Rows, Rows]:
    """Add most of a validation part to the training part: of classes each gives its share.

    Returns:
        Numbers of the samples to learn, and of those that still choose among weights. Of few
        validation samples, a part would say little: then none is learned.
    """
    if len(validation) < _FEW:
        return train, validation
    fold = make_folds(dataset, validation, _WATCHED, seed)[0]
    return np.sort(np.concatenate([train, fold.train])), fold.validation


def all_rows(folds: tuple[Fold, ...]) -> Rows:
    """Return the numbers of the samples of all folds, in order."""
    return np.sort(np.concatenate([fold.validation for fold in folds]))


def _smallest_class(values: NDArray[np.int64]) -> int:
    return int(np.unique_counts(values).counts.min())


def _in_order(folds: tuple[Fold, ...], outputs: list[Tensor]) -> Tensor:
    """Return the outputs of all folds in the order of the numbers of their samples."""
    rows = np.concatenate([fold.validation for fold in folds])
    return torch.cat(outputs)[torch.from_numpy(rows.argsort())]
