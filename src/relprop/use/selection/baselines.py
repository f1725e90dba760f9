"""Rankings of features by other methods than relevance, to compare with.

Takes prepared samples with their targets, or networks that were trained without some. Gives a
number for each feature, larger where it counts more. Must not know relevance.

n  samples      d  features      e  entries of a prepared sample
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.dataset import DataTarget
from ...search.model import mean_output
from ...search.prepared import PreparedData
from ...support.extras import needs
from ...training.objectives import loss, soft_targets
from .features import Features
from .held_out import HeldOutModel

Importance = NDArray[np.float64]

_STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)  # C of the lasso, of which cross-validation takes one
_DROPPED = 0.1  # of the features that are left, in a round of the elimination
_REPEATS = 3  # of each permutation
_FOLDS = 3  # of the cross-validation that chooses C


@dataclass(frozen=True)
class SampleMatrix:
    """Samples as a matrix, with what is to be predicted of them.

    Attributes:
        x: The entries, standardised, (n, e).
        entries: The feature of each entry, -1 for none, (e,).
        target: Of the same samples.
        count: Number d of features.
        seed: Of what is random.
        present: Whether entries are 0 or 1, as of words, and not standardised.
    """

    x: NDArray[np.float32]
    entries: NDArray[np.int64]
    target: DataTarget
    count: int
    seed: int
    present: bool = False

    def largest(self, of_entries: NDArray[np.float64]) -> Importance:
        """Return the largest number among the entries of each feature, (d,); 0 without one."""
        importance = np.zeros(self.count)
        known = self.entries >= 0
        np.maximum.at(importance, self.entries[known], of_entries[known])
        return importance

    def tasks(self) -> Iterator[tuple[bool, NDArray[np.float64]]]:
        """Return whether it is classes, and the target; of labels each by itself."""
        values = self.target.values
        if self.target.task != "labels":
            yield self.target.task == "classes", values
            return
        for column in values.T:
            if 0 < column.mean() < 1:
                yield True, column


def mutual_information(numbers: SampleMatrix) -> Importance:
    """Rank by the mutual information of each feature by itself and the target.

    Source: Kraskov, Stögbauer, Grassberger 2004; of a feature with several entries, the largest.
    """
    with needs("fit", "rankings to compare with"):
        from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
    total = np.zeros(numbers.x.shape[1])
    for classes, y in numbers.tasks():
        measure = mutual_info_classif if classes else mutual_info_regression
        total += measure(numbers.x, y, discrete_features=numbers.present, random_state=numbers.seed)
    return numbers.largest(total)


def lasso(numbers: SampleMatrix) -> Importance:
    """Rank by the weights of a linear model with a penalty on their L1 norm.

    Its strength is chosen by cross-validation. Source: Tibshirani 1996.
    """
    with needs("fit", "rankings to compare with"):
        from sklearn.linear_model import LassoCV
    total = np.zeros(numbers.x.shape[1])
    for classes, y in numbers.tasks():
        if classes:
            total += _logistic_lasso(numbers.x, y, numbers.seed)
        else:
            total += np.abs(LassoCV(random_state=numbers.seed).fit(numbers.x, y).coef_)
    return numbers.largest(total)


def _logistic_lasso(x: NDArray[np.float32], y: NDArray[np.float64], seed: int) -> Importance:
    """Return the sum of |weights| over classes, each against all others, (e,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    total, classes = np.zeros(x.shape[1]), np.unique(y)
    for number in classes[1:] if len(classes) == 2 else classes:
        own = y == number
        model = LogisticRegression(l1_ratio=1, solver="liblinear", random_state=seed)
        folds = min(_FOLDS, int(own.sum()), int((~own).sum()))
        if folds > 1:
            split = StratifiedKFold(folds, shuffle=True, random_state=seed)
            search = GridSearchCV(model, {"C": _STRENGTHS}, cv=split, scoring="neg_log_loss")
            model = search.fit(x, own).best_estimator_
        total += np.abs(model.fit(x, own).coef_[0])
    return total


def recursive_elimination(numbers: SampleMatrix) -> Importance:
    """Rank by when a linear model gives a feature up: it is fitted again without the least.

    A tenth of the features that are left goes at a time, one at least. Source: Guyon et al. 2002,
    "Gene selection for cancer classification using support vector machines".
    """
    left, importance = np.arange(numbers.count), np.zeros(numbers.count)
    for round_ in range(numbers.count):
        places = np.isin(numbers.entries, left)
        sizes = np.zeros(len(numbers.entries))
        sizes[places] = _linear_sizes(numbers, places) if places.any() else 0
        order = left[np.argsort(numbers.largest(sizes)[left], kind="stable")]
        gone = max(1, int(_DROPPED * len(order)))
        # those that go together keep the order of their weights
        importance[order[:gone]] = round_ + np.arange(gone) / gone
        left = order[gone:]
        if not len(left):
            break
    return importance


def _linear_sizes(numbers: SampleMatrix, places: NDArray[np.bool_]) -> Importance:
    """Fit a linear model with a penalty on the L2 norm; return the sizes of its weights."""
    with needs("fit", "rankings to compare with"):
        from sklearn.linear_model import LogisticRegression, Ridge
    x, total = numbers.x[:, places], np.zeros(int(places.sum()))
    for classes, y in numbers.tasks():
        model = LogisticRegression(max_iter=2000) if classes else Ridge()
        total += np.linalg.norm(np.atleast_2d(model.fit(x, y).coef_), axis=0)
    return total


def permutation_importance(
    data: PreparedData, features: Features, models: Sequence[HeldOutModel], seed: int
) -> Importance:
    """Rank by how much the loss of held-out samples rises when a feature's values are shuffled.

    Source: Breiman 2001, "Random forests"; the mean of three permutations.

    Args:
        data: The samples.
        features: Their features.
        models: Networks with samples that they have not learned.
        seed: Of the permutations.
    """
    rise, random = np.zeros(len(features.names)), np.random.default_rng(seed)
    for one in models:
        x = data.inputs(one.model.preparation, one.fold.validation)
        entries = features.entries(one.model.preparation, x)
        before = _loss(data, one, x)
        for feature in range(len(rise)):
            shuffled = _shuffled(x, entries == feature, random)
            rise[feature] += len(x) * (_loss(data, one, shuffled) - before)
    return rise


def _shuffled(x: Tensor, places: Tensor, random: np.random.Generator) -> Tensor:
    """Return samples several times, with some entries of other samples, (repeats n, *shape)."""
    flat = x.flatten(1).repeat(_REPEATS, 1)
    orders = [torch.from_numpy(random.permutation(len(x))) for _ in range(_REPEATS)]
    flat[:, places] = x.flatten(1)[torch.cat(orders)][:, places]
    return flat.view(-1, *x.shape[1:])


def _loss(data: PreparedData, one: HeldOutModel, x: Tensor) -> float:
    """Return the mean loss of a network on its held-out samples, which may stand there again."""
    outputs = mean_output(one.model.networks, x)
    targets = data.targets(one.fold.validation)
    task = data.dataset.target.task
    soft = soft_targets(targets, None, task=task, outputs=outputs.shape[1], smoothing=0.0)
    return float(loss(outputs, soft.repeat(len(x) // len(soft), 1), task))
