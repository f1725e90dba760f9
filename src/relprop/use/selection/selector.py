"""Feature selection by relevance, as scikit-learn's selectors are used.

Takes arrays or frames with a target. Gives a fitted selector. Must not know files.

n  samples      d  features
"""

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...support.extras import needs
from .arrays import check_number, checked_samples, make_dataset
from .held_out import HeldOutRelevance, held_out_relevance
from .rankers import RankingTask
from .ranking import rank_by_relevance

with needs("fit", "feature selection"):
    from sklearn.base import BaseEstimator
    from sklearn.feature_selection import SelectorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted


class RelevanceSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Keep the features that count most for networks, by the relevance of held-out samples.

    In each of several folds a small network is trained on the other samples, and relevance of the
    fold's samples is computed for their true class against the strongest other one, or for the
    value. Features are ranked by mean |R|. Columns of a frame may be numbers, categories, dates;
    relevance of one-hot columns is summed. Missing values are allowed.

    Args:
        k: How many features are kept; None: half of them.
        folds: How many networks are trained.
        random_state: Seed of folds and training: a number, a `RandomState`, or None.

    Attributes:
        ranking_: A `FeatureRanking` of all features.
        importances_: Mean |R| of each feature, as a share of all, (d,).
        n_features_in_: Number of features.
        feature_names_in_: Their names, where `fit` was given a frame.

    Example:
        >>> import numpy as np
        >>> from relprop.use import RelevanceSelector
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 5))
        >>> y = (X[:, 1] - X[:, 3] > 0).astype(int)
        >>> RelevanceSelector(k=2, random_state=0).fit(X, y).get_support(indices=True)
        array([1, 3])
    """

    def __init__(self, k: int | None = None, *, folds: int = 5, random_state: Any = None) -> None:
        self.k = k
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Rank the features of samples.

        Args:
            X: Samples, (n, d): an array of numbers, or a frame.
            y: Target of each sample, (n,): classes, or a value.

        Returns:
            The selector itself.

        Raises:
            InputError: k or folds do not fit.
            ValueError: As scikit-learn raises it for X and y.
        """
        frame, labels = checked_samples(self, X, y)
        check_number("k", self.k, frame.shape[1])
        check_number("folds", self.folds, len(frame), least=2)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        dataset = make_dataset(frame, labels)
        task = RankingTask(dataset, np.arange(len(frame)), folds=self.folds, seed=seed)
        held_out = held_out_relevance(task.data, task.features, task.models)
        held_out = _with_left_out(held_out, tuple(frame.columns))
        self.ranking_ = rank_by_relevance(held_out, dataset.target)
        self.importances_ = self.ranking_.importance
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        half = max(1, len(self.importances_) // 2)
        return self.ranking_.best(half if self.k is None else self.k)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags


def select_features(
    X: Any,
    y: Any,
    k: int = 6,
    *,
    folds: int = 5,
    random_state: Any = None,
) -> RelevanceSelector:
    """Fit a `RelevanceSelector` in one call.

    Args:
        X: Samples, (n, d): an array of numbers, or a frame.
        y: Target of each sample, (n,): classes, or a value.
        k: How many features are kept.
        folds: How many networks are trained.
        random_state: Seed of folds and training: a number, a `RandomState`, or None.

    Returns:
        The selector: `get_support()` is the mask of the kept features, `transform(X)` keeps them,
        `ranking_` has all of them.

    Raises:
        InputError: k or folds do not fit.
        ValueError: As scikit-learn raises it for X and y.

    Example:
        >>> import numpy as np
        >>> from relprop.use import select_features
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> y = X[:, 1] > X[:, 3]
        >>> select_features(X, y, k=2, random_state=0).transform(X).shape
        (200, 2)
    """
    return RelevanceSelector(k, folds=folds, random_state=random_state).fit(X, y)


def _with_left_out(held_out: HeldOutRelevance, names: tuple[str, ...]) -> HeldOutRelevance:
    """Put columns that networks were not given back to their places, without relevance."""
    relevance = torch.zeros(len(held_out.relevance), len(names))
    places = [names.index(name) for name in held_out.names]
    relevance[:, places] = held_out.relevance
    return replace(held_out, names=names, relevance=relevance)
