"""The record of a removal curve: what a model made of each sample at each step.

n  samples      s  steps
"""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from ...errors import InputError
from ..statistics.predictions import Predictions
from .steps import column_of


@dataclass(frozen=True, repr=False)
class RemovalCurve:
    """Scores as units are removed: column 0 is the untouched sample, the last one the last step.

    order    "morf", "lerf", "random" or "custom"
    score    what of the output is followed; fill: what removed entries became
    scores   (n, s + 1)
    reading  prediction and margin, (n, s + 1) each; None for an output that is not of classes
    counts   (1 or n, s + 1) units gone; units: (1 or n,) units of a sample
    target   (n,) the class that is followed; None for a score of one's own without classes
    ties     (n,) units whose relevance another one has, too: their order is the seed's
    All are on the CPU.
    """

    order: str
    score: str
    fill: str
    scores: Tensor
    predictions: Predictions | None
    counts: Tensor
    units: Tensor
    target: Tensor | None
    ties: Tensor

    @property
    def shares(self) -> Tensor:
        """The share of the units that is gone, (1 or n, s + 1), from 0 up to 1."""
        return self.counts / self.units[:, None]

    @cached_property
    def auc(self) -> Tensor:
        """The area under each sample's curve, (n,): the mean height by the trapezoid rule.

        The area over the share removed, divided by the largest such share, which usually is 1.
        """
        return mean_height(self.scores, self.shares)

    def at(self, q: float) -> Predictions:
        """The reading where the share q of the units is gone, which must be one of the steps."""
        if self.predictions is None:
            raise InputError(
                "the reading of a model whose output is not of classes",
                "(n, classes) with at least two classes",
                "look at the scores instead",
            )
        column = column_of(q, self.counts, self.units)
        return Predictions(
            self.predictions.prediction[:, column], self.predictions.margin[:, column]
        )

    def __repr__(self) -> str:
        """The mean curve, because the tensors would fill pages."""
        heights = " ".join(f"{height:.3f}" for height in self.scores.mean(0).tolist())
        setting = f"{self.order}, {self.score}, fill {self.fill}, {len(self.scores)} samples"
        return f"<RemovalCurve {setting}: {heights}>"


def mean_height(values: Tensor, shares: Tensor) -> Tensor:
    """The mean height of curves (n, s + 1) over shares (1 or n, s + 1), by trapezoids: (n,)."""
    middle, width = (values[:, 1:] + values[:, :-1]) / 2, shares.diff(dim=1)
    return (middle * width).sum(1) / width.sum(1)
