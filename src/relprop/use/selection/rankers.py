"""Methods that rank features, by name: each sees the same samples, and networks trained on them.

Takes a data set and numbers of samples. Gives a number for each feature, larger where it counts
more. Must not know how rankings are tested.

d  features
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from ...data.dataset import Dataset
from ...search.prepared import PreparedData, Rows
from .baselines import (
    Importance,
    SampleMatrix,
    lasso,
    mutual_information,
    permutation_importance,
    recursive_elimination,
)
from .held_out import HeldOutModel, held_out_models, held_out_relevance, sum_entries
from .modalities import features_of
from .ranking import rank_by_relevance

RELEVANCE = "relevance"
_PERMUTATION = "permutation importance"


class RankingTask:
    """What a method ranks features by: samples that it may see, and networks trained on them.

    Attributes:
        data: The data set; other samples than those of `rows` are its test part.
        features: Its features.
        rows: Samples that may be seen, by number.
        folds: How many networks are trained, each without a part of them.
        seed: Of all that is random.
    """

    def __init__(self, dataset: Dataset, rows: Rows, *, folds: int, seed: int) -> None:
        self.features, self.rows, self.folds, self.seed = features_of(dataset), rows, folds, seed
        self.data = PreparedData(others_as_test(dataset, rows), kept=2 * folds)

    @cached_property
    def models(self) -> tuple[HeldOutModel, ...]:
        """Networks with samples that they have not learned; trained once for all methods."""
        made = held_out_models(
            self.data, self.features, self.rows, folds=self.folds, seed=self.seed
        )
        return tuple(made)

    @cached_property
    def numbers(self) -> SampleMatrix:
        """The samples as a matrix, prepared as for a network; of texts which words they have."""
        family = self.features.testing_family()
        settings = self.features.settings(self.data, family, len(self.rows))
        preparation = self.data.preparation(self.rows, settings)
        x = self.data.inputs(preparation, self.rows)
        entries, count = self.features.entries(preparation, x), len(self.features.names)
        present = entries.ndim > 1  # of texts: whether they have a word
        if present:
            found = sum_entries((x > 0).float(), entries, count) > 0
            x, entries = found.float(), torch.arange(count)
        target = self.data.dataset.target
        target = replace(target, values=target.values[self.rows])
        matrix = x.flatten(1).numpy()
        return SampleMatrix(matrix, entries.numpy(), target, count, self.seed, present)


Ranker = Callable[[RankingTask], Importance]


def _relevance(task: RankingTask) -> Importance:
    held_out = held_out_relevance(task.data, task.features, task.models)
    return rank_by_relevance(held_out, task.data.dataset.target).importance


def _permutation(task: RankingTask) -> Importance:
    return permutation_importance(task.data, task.features, task.models, task.seed)


# A method ranks by the samples of its task alone. More methods may be given beside these.
RANKERS: dict[str, Ranker] = {
    RELEVANCE: _relevance,
    _PERMUTATION: _permutation,
    "mutual information": lambda task: mutual_information(task.numbers),
    "L1": lambda task: lasso(task.numbers),
    "RFE": lambda task: recursive_elimination(task.numbers),
}


def rankers_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the methods that rank the features of a data set.

    Words have no place that they share among texts, whose values could be permuted.

    Args:
        dataset: The data set.
    """
    return tuple(one for one in RANKERS if one != _PERMUTATION or dataset.modality != "text")


def others_as_test(dataset: Dataset, rows: Rows) -> Dataset:
    """Return a data set whose training part are some samples, and whose test part all others.

    Args:
        dataset: The data set.
        rows: Numbers of the samples of the training part.
    """
    parts = np.full(len(dataset.parts), "test", dtype="<U10")
    parts[rows] = "train"
    return replace(dataset, parts=parts)
