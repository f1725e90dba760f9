"""How good models of the best k features are: a record, with its intervals.

Takes scores of samples. Gives estimates. Must not know how they were measured.

n  samples      d  features      r  numbers of features      f  outer folds
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...search.prepared import Rows
from ...support.arguments import check_one_of
from ...support.estimates import Estimate, bootstrap_mean
from .rankers import RELEVANCE
from .ranking import best_features


@dataclass(frozen=True)
class AccuracyOverK:
    """How good models are that were trained on the best k features of each method.

    Attributes:
        names: Of the features, d of them.
        score_name: What is measured: "accuracy", "share of right labels", or "R^2".
        ks: Numbers of features, the smallest first, r of them.
        scores: Method -> score of each sample, (n, r): 1 where the class is right, else 0; the
            share of right labels; or 1 - squared error / variance of the values.
        all_features: Scores of models of all features, (n,).
        importance: Method -> importance of each feature by each outer training part, (f, d).
        rows: Numbers of the samples, (n,).
    """

    names: tuple[str, ...]
    score_name: str
    ks: tuple[int, ...]
    scores: Mapping[str, Tensor]
    all_features: Tensor
    importance: Mapping[str, NDArray[np.float64]]
    rows: Rows

    def estimate(self, k: int, method: str = RELEVANCE) -> Estimate:
        """Return the mean score with k features, with its 95 % interval over samples.

        Args:
            k: One of `ks`.
            method: Name of a method.

        Raises:
            InputError: k or the method was not measured.
        """
        return bootstrap_mean(self._of(k, method))

    def gain(self, k: int, method: str = RELEVANCE, over: str | None = None) -> Estimate:
        """Return how much better a method is on the same samples, with a paired 95 % interval.

        Args:
            k: One of `ks`.
            method: Name of a method.
            over: Another method, with k features, too; None: models of all features.

        Raises:
            InputError: k or a method was not measured.
        """
        other = self.all_features if over is None else self._of(k, over)
        return bootstrap_mean(self._of(k, method) - other)

    def stability(self, k: int, method: str = RELEVANCE) -> NDArray[np.float64]:
        """Return in which share of the outer folds each feature is among the best, (d,).

        Args:
            k: How many are the best.
            method: Name of a method.
        """
        check_one_of("method", method, self.importance)
        masks = [best_features(one, k) for one in self.importance[method]]
        share: NDArray[np.float64] = np.mean(masks, axis=0)
        return share

    @property
    def sufficient(self) -> int:
        """The smallest k by relevance that loses at most a standard error against the best k.

        The error is that of the mean loss, paired by sample.

        Source: Breiman, Friedman, Olshen, Stone 1984, "Classification and regression trees", 3.4.3.
        """
        scores = self.scores[RELEVANCE].double()
        best = scores[:, [int(scores.mean(0).argmax())]]
        loss = best - scores  # (n, r)
        error = loss.std(0) / len(loss) ** 0.5
        return self.ks[int((loss.mean(0) <= error).int().argmax())]

    def _of(self, k: int, method: str) -> Tensor:
        check_one_of("method", method, self.scores)
        if k not in self.ks:
            measured = ", ".join(map(str, self.ks))
            raise InputError(f"k is {k!r}", measured, f"write k={self.ks[-1]}, or measure it")
        return self.scores[method][:, self.ks.index(k)]
