"""Ranks the features of a data set, measures how many are enough, and keeps the best.

Takes a data set as `relprop fit` reads it; its test part is not touched. Gives a record. Must not
know pages or the command line.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import Dataset
from ...errors import InputError
from ...search.prepared import Rows
from ...support.arguments import check_one_of
from ...support.progress import QUIET, Progress
from .accuracy import AccuracyOverK
from .features import Features
from .held_out import held_out_relevance
from .modalities import features_of
from .over_k import OverK, check_some, measure_over_k
from .rankers import RANKERS, RELEVANCE, RankingTask, rankers_of
from .ranking import FeatureRanking, rank_by_relevance

FOLDS = 5  # networks that rank features by all samples
OUTER, INNER = 3, 3  # folds in which models are tested, and networks that rank in each
MOST_SAMPLES = 4000
_FEWEST = 18  # samples: three folds, each of two, in the training part of three
_MOST_KS = 6
_SHOWN = 5  # features that are printed before accuracy is measured


@dataclass(frozen=True)
class Selection:
    """Features of a data set, ranked, with what models of the best of them reach.

    Attributes:
        source: Where the data is from.
        noun: What a feature is.
        grid: Rows and columns of pixels; None of other data.
        ranking: By the relevance of all samples that were taken.
        accuracy: Measured in outer folds of the same samples.
        k: How many features are kept.
        samples: How many samples were taken, of how many without the test part.
        of: That number.
        seed: Random seed.
    """

    source: str
    noun: str
    grid: tuple[int, int] | None
    ranking: FeatureRanking
    accuracy: AccuracyOverK
    k: int
    samples: int
    of: int
    seed: int

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which features are kept, (d,)."""
        return self.ranking.best(self.k)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the features that are kept, the most important first."""
        return tuple(self.ranking.names[i] for i in self.ranking.order[: self.k])


def select(
    dataset: Dataset,
    ks: Sequence[float] = (),
    *,
    against: Sequence[str] = (),
    most: int = MOST_SAMPLES,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Selection:
    """Rank features, and keep as many as are enough.

    Args:
        dataset: The data; its test part is left out.
        ks: Numbers of features to measure; none: half of them, a quarter and so on.
        against: Other methods to measure, too: names of `RANKERS`.
        most: The most samples; of more, so many are drawn.
        seed: Of the draw, of folds and of training.
        progress: Shows what is done.

    Returns:
        What was found. Of several ks the smallest is kept whose accuracy is within one standard
        error of the best.

    Raises:
        InputError: A k or a method does not fit, or there are too few samples or features.
    """
    features = features_of(dataset)
    count = len(features.names)
    if count > 1:
        _check(features, ks, against, rankers_of(dataset)[1:])
    wanted = tuple(map(int, ks)) or default_ks(count)
    check_some(features, wanted, (RELEVANCE,))
    every = dataset.rows("train", "validation")
    rows = _drawn(dataset, every, most, seed)
    methods = {name: RANKERS[name] for name in (RELEVANCE, *against)}
    task = RankingTask(dataset, rows, folds=FOLDS, seed=seed)
    start = time.perf_counter()
    with progress.stage("Ranking", count, f"{features.noun}s") as advance:
        held_out = held_out_relevance(task.data, task.features, task.models)
        advance(count)
    ranking = rank_by_relevance(held_out, dataset.target)
    asked = OverK(wanted, methods, OUTER, INNER, seed)
    _announce(ranking, asked, (time.perf_counter() - start) / FOLDS, progress)
    accuracy = measure_over_k(dataset, rows, asked, progress)
    return Selection(
        dataset.source,
        features.noun,
        getattr(features, "grid", None),
        ranking,
        accuracy,
        accuracy.sufficient,
        len(rows),
        len(every),
        seed,
    )


def default_ks(count: int) -> tuple[int, ...]:
    """Return half of a number of features, a quarter and so on down to 1, six at most.

    Args:
        count: Number of features.

    Example:
        >>> default_ks(14), default_ks(784)
        ((7, 4, 2, 1), (392, 196, 98, 49, 24, 12))
    """
    made: list[int] = []
    while len(made) < _MOST_KS and (not made or made[-1] > 1):
        made.append(max(1, round((made[-1] if made else count) / 2)))
    return tuple(made)


def _announce(ranking: FeatureRanking, asked: OverK, seconds: float, progress: Progress) -> None:
    """Print the first features, and how long the measuring may take."""
    names = [ranking.names[i] for i in ranking.order[:_SHOWN]]
    networks = asked.outer * (1 + asked.inner + len(asked.methods) * len(asked.ks))
    minutes = max(1, round(networks * seconds / 60))
    progress.log(
        f"Ranked first: {', '.join(names)}. Now accuracy over k, by {networks} networks: about "
        f"{minutes} min; fewer --k and --against take less."
    )


def _check(
    features: Features, ks: Sequence[float], against: Sequence[str], others: Sequence[str]
) -> None:
    """Raise InputError for what cannot be measured."""
    most = len(features.names)
    for k in ks:
        if int(k) != k or not 1 <= k <= most:
            allowed = f"a whole number from 1 to {most:,}, the number of {features.noun}s"
            raise InputError(f"k is {k:g}", allowed, f"write --k {max(1, most // 2)}")
    for name in against:
        check_one_of("against", name, others)


def _drawn(dataset: Dataset, rows: Rows, most: int, seed: int) -> Rows:
    """Draw samples where there are many; raise InputError where there are too few."""
    if len(rows) < _FEWEST:
        given = f"{dataset.source} with {len(rows)} samples beside the test part"
        todo = "add samples: folds of folds are trained on"
        raise InputError(given, f"{_FEWEST} at least", todo)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
