"""Measures how good models of the best k features are, for several k, without a leak.

Takes a data set and methods. In each outer fold features are ranked by its training part alone;
models of the best k are trained on that part and tested on the rest. Must not know files.

n  samples      d  features      r  numbers of features      f  outer folds
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.dataset import Dataset, DataTarget, TaskKind
from ...errors import InputError
from ...search.folds import Fold, make_folds
from ...search.model import TrainingRecipe, mean_output, train_model
from ...search.prepared import PreparedData, Rows
from ...support.arguments import check_one_of
from ...support.progress import QUIET, Progress
from .accuracy import AccuracyOverK
from .baselines import Importance
from .features import Features
from .modalities import features_of
from .rankers import RANKERS, RELEVANCE, Ranker, RankingTask, others_as_test
from .ranking import best_features

_INNER = 3  # networks that rank features in each outer fold
_SCORES: dict[TaskKind, str] = {
    "classes": "accuracy",
    "labels": "share of right labels",
    "value": "R^2",
}


@dataclass(frozen=True)
class OverK:
    """What is measured.

    Attributes:
        ks: Numbers of features.
        methods: Name -> what ranks features.
        outer: Number of outer folds, in which models are tested.
        inner: Number of networks that rank features, in each of them.
        seed: Of folds and training.
    """

    ks: tuple[int, ...]
    methods: Mapping[str, Ranker]
    outer: int
    inner: int
    seed: int


def measure_over_k(
    dataset: Dataset, rows: Rows, what: OverK, progress: Progress = QUIET
) -> AccuracyOverK:
    """Rank, train and test in each outer fold.

    Args:
        dataset: The samples.
        rows: Those that take part, by number.
        what: What is measured.
        progress: Shows the models that are trained.
    """
    features = features_of(dataset)
    ks = tuple(sorted(set(what.ks)))
    folds = make_folds(dataset, rows, what.outer, what.seed)
    done: dict[str, list[Tensor]] = {name: [] for name in what.methods}
    importance: dict[str, list[Importance]] = {name: [] for name in what.methods}
    whole = []
    count = len(folds) * (1 + len(what.methods) * (1 + len(ks)))
    with progress.stage("Measuring accuracy over k", count, "rankings and models") as advance:
        for number, fold in enumerate(folds):
            seed = what.seed + 1000 * number
            task = RankingTask(dataset, fold.train, folds=what.inner, seed=seed)
            tested = _Tested(dataset, features, fold, seed)
            whole.append(tested.scores(np.ones(len(features.names), bool)))
            advance(1)
            for name, ranker in what.methods.items():
                importance[name].append(ranker(task))
                advance(1)
                columns = []
                for k in ks:
                    columns.append(tested.scores(best_features(importance[name][-1], k)))
                    advance(1)
                done[name].append(torch.stack(columns, 1))
    return AccuracyOverK(
        features.names,
        _SCORES[dataset.target.task],
        ks,
        {name: torch.cat(parts) for name, parts in done.items()},
        torch.cat(whole),
        {name: np.stack(parts) for name, parts in importance.items()},
        np.concatenate([fold.validation for fold in folds]),
    )


class _Tested:
    """Models of some features, trained on an outer training part and tested on the rest."""

    def __init__(self, dataset: Dataset, features: Features, fold: Fold, seed: int) -> None:
        self.dataset, self.features, self.fold, self.seed = dataset, features, fold, seed
        self.known: dict[bytes, Tensor] = {}

    def scores(self, mask: NDArray[np.bool_]) -> Tensor:
        """Return the score of each test sample for a model of some features, (n,)."""
        key = mask.tobytes()
        if key not in self.known:
            self.known[key] = self._scores(mask)
        return self.known[key]

    def _scores(self, mask: NDArray[np.bool_]) -> Tensor:
        train, test = self.fold.train, self.fold.validation
        data = PreparedData(others_as_test(self.features.keep(mask, train), train))
        family = self.features.testing_family()
        settings = self.features.settings(data, family, len(train))
        recipe = TrainingRecipe(family, settings, self.seed)
        model = train_model(data, recipe, train, None, seconds=float("inf"))
        outputs = mean_output(model.networks, data.inputs(model.preparation, test))
        return _score_samples(outputs, data.targets(test), data.dataset.target)


def _score_samples(outputs: Tensor, targets: Tensor, target: DataTarget) -> Tensor:
    """Return the score of each sample, (n,), as `AccuracyOverK` has it."""
    if target.task == "classes":
        return (outputs.argmax(1) == targets).double()
    if target.task == "labels":
        return ((outputs > 0) == (targets > 0.5)).double().mean(1)
    # of values that were standardised by the training part, whose variance is 1
    return 1 - (outputs - targets)[:, 0].double().square()


def accuracy_over_k(
    X: Any,
    y: Any,
    ks: Sequence[int],
    *,
    methods: Sequence[str] = (RELEVANCE,),
    folds: int = 5,
    random_state: Any = None,
) -> AccuracyOverK:
    """Measure how good models of the best k features are, for several k.

    In each of several outer folds features are ranked by the training part alone, as
    `RelevanceSelector` does with three networks, or by another method. Networks of `fit`'s default
    settings are trained on that part with the best k alone, and tested on the rest.

    Args:
        X: Samples, (n, d): an array of numbers, or a frame.
        y: Target of each sample, (n,): classes, or a value.
        ks: Numbers of features.
        methods: What ranks features: "relevance", "permutation importance", "mutual information",
            "L1", "RFE".
        folds: Outer folds.
        random_state: Seed of folds and training: a number, a `RandomState`, or None.

    Returns:
        Scores of each sample, with their intervals.

    Raises:
        InputError: A k, a method or folds do not fit.
        ValueError: As scikit-learn raises it for X and y.

    Example:
        >>> import numpy as np
        >>> from relprop.use import accuracy_over_k
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> measured = accuracy_over_k(X, X[:, 1] > X[:, 3], [1, 2], folds=2, random_state=0)
        >>> measured.estimate(2).mean > measured.estimate(1).mean
        True
    """
    from sklearn.utils import check_random_state

    from .arrays import check_number, checked_samples, make_dataset
    from .selector import RelevanceSelector

    frame, labels = checked_samples(RelevanceSelector(), X, y)
    dataset = make_dataset(frame, labels)
    check_some(features_of(dataset), ks, methods)
    for k in ks:
        check_number("k", k, len(dataset.columns))
    check_number("folds", folds, len(frame), least=2)
    for name in methods:
        check_one_of("method", name, RANKERS)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    chosen = {name: RANKERS[name] for name in methods}
    what = OverK(tuple(ks), chosen, folds, _INNER, seed)
    return measure_over_k(dataset, np.arange(len(frame)), what)


def check_some(features: Features, ks: Sequence[int], methods: Sequence[str]) -> None:
    """Raise InputError where there is nothing to choose from, or nothing is asked for."""
    if len(features.names) < 2:
        given = f"data with {'one' if features.names else 'no'} {features.noun} alone"
        raise InputError(given, f"two {features.noun}s or more", "give data with more of them")
    if not ks:
        raise InputError("no k", "one number of features or more", "write ks=[2, 5]")
    if not methods:
        raise InputError("no method", ", ".join(RANKERS), f"write methods=[{RELEVANCE!r}]")
