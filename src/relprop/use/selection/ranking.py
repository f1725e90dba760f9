"""Ranks features by the relevance that samples of a data set give them.

Takes relevance of held-out samples. Gives a ranking with its spread. Must not know how relevance
came about.

n  samples      d  features      c  classes      f  folds
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.dataset import DataTarget
from ...search.prepared import Rows
from ...support.extras import needs
from .held_out import HeldOutRelevance

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class FeatureRanking:
    """How much each feature counts for networks that predict samples they have not learned.

    Attributes:
        names: Of the features, d of them.
        importance: Mean |R| over the samples, as a share of the sum over all features, (d,).
        by_class: The same over the samples of each class, or with each label, (c, d); of a value,
            (1, d).
        classes: Names of the classes or labels; of a value, its name.
        ranks: Rank of each feature, 1 the first, by the samples of each fold, (f, d).
    """

    names: tuple[str, ...]
    importance: NDArray[np.float64]
    by_class: NDArray[np.float64]
    classes: tuple[str, ...]
    ranks: NDArray[np.int64]

    @property
    def order(self) -> NDArray[np.int64]:
        """Places of the features, the most important first; equal ones in their own order."""
        return np.argsort(-self.importance, kind="stable")

    def best(self, k: int) -> NDArray[np.bool_]:
        """Return a mask of the most important features, (d,).

        Args:
            k: How many there are.
        """
        return best_features(self.importance, k)

    def stability(self, k: int) -> NDArray[np.float64]:
        """Return in which share of the folds each feature is among the first, (d,).

        Args:
            k: How many are the first.
        """
        share: NDArray[np.float64] = (self.ranks <= k).mean(0)
        return share

    def to_frame(self) -> "DataFrame":
        """Return a table with a row for each feature, the most important first.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        with needs("fit", "tables of features"):
            from pandas import DataFrame
        named = zip(self.classes, self.by_class, strict=True)
        classes = {f"importance for {name}": values for name, values in named}
        frame = DataFrame(
            {
                "feature": self.names,
                "importance": self.importance,
                **(classes if len(self.classes) > 1 else {}),
                "lowest rank": self.ranks.max(0),
                "highest rank": self.ranks.min(0),
            }
        )
        return frame.iloc[self.order].reset_index(drop=True)


def best_features(importance: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """Return a mask of the k largest numbers; of equal ones the first are taken.

    Args:
        importance: A number for each feature, (d,).
        k: How many there are.
    """
    mask = np.zeros(len(importance), bool)
    mask[np.argsort(-importance, kind="stable")[:k]] = True
    return mask


def rank_by_relevance(held_out: HeldOutRelevance, target: DataTarget) -> FeatureRanking:
    """Average the size of relevance over samples, all together, by class and by fold.

    Args:
        held_out: Relevance of samples.
        target: That of all samples: classes, or a value.
    """
    sizes = held_out.relevance.abs().double()  # (n, d)
    by_class = torch.stack([_share(sizes[rows]) for rows in _by_class(target, held_out.rows)])
    folds = [_share(sizes[torch.from_numpy(held_out.fold == f)]) for f in set(held_out.fold)]
    order = torch.stack(folds).argsort(dim=1, descending=True, stable=True)
    ranks = order.argsort(1) + 1
    return FeatureRanking(
        held_out.names, _share(sizes).numpy(), by_class.numpy(), target.names, ranks.numpy()
    )


def _by_class(target: DataTarget, rows: Rows) -> list[Tensor]:
    """Say of each class or label which samples have it, (n,); of a value, all."""
    values = target.values[rows]
    if target.task == "value":
        return [torch.ones(len(rows), dtype=torch.bool)]
    if target.task == "classes":
        return [torch.from_numpy(values == c) for c in range(len(target.names))]
    return [torch.from_numpy(column > 0) for column in values.T]


def _share(sizes: Tensor) -> Tensor:
    """Return the mean of each feature over samples (n, d), divided by the sum of all, (d,)."""
    if not len(sizes):
        return torch.zeros(sizes.shape[1], dtype=sizes.dtype)
    mean = sizes.mean(0)
    return mean / mean.sum().clamp(min=torch.finfo(mean.dtype).tiny)
