"""The record of a removal curve: scores and predictions of each sample at each step.

n  samples      s  steps, so that a curve has s + 1 columns
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ...errors import InputError
from ...support.files import write_csv
from ..statistics.predictions import Predictions
from .steps import column_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSV_COLUMNS = ("sample", "removed", "share", "score", "prediction")


@dataclass(frozen=True, repr=False)
class RemovalCurve:
    """Scores as units are removed. Column 0 is the original sample, the last one the last step.

    Attributes:
        order: "morf", "lerf", "random", or "custom" for an order that the user passed.
        score: Name of the score.
        fill: Name of the fill, which replaces removed entries.
        scores: Scores, (n, s + 1).
        predictions: Predicted classes and margins, (n, s + 1) each; None for a model whose output
            is not (n, classes).
        counts: Units removed in each column, (1 or n, s + 1).
        units: Units per sample, (1 or n,).
        target: The class whose score it is, (n,); None for an output without classes.
        ties: Units that share their relevance with another, (n,): their order is random.

    All tensors are on the CPU.
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
        """The share of the units that is removed, (1 or n, s + 1), from 0 up to 1."""
        return self.counts / self.units[:, None]

    @cached_property
    def auc(self) -> Tensor:
        """The area under each sample's curve, (n,): its mean height by the trapezoid rule.

        It is the integral over the share removed, divided by the largest such share, usually 1.
        """
        return mean_height(self.scores, self.shares)

    def at(self, q: float) -> Predictions:
        """Return the predictions (n,) where the share q of the units is removed.

        Args:
            q: A share in [0, 1] that is one of the steps; 0 is the original sample.

        Raises:
            InputError: No step removes this share, or the model has no classes.

        Example:
            >>> import torch
            >>> from relprop.evaluate import removal_curve
            >>> x = torch.tensor([[3.0, 1.0, 2.0, 0.0]])
            >>> model = lambda x: torch.stack([x.sum(1), 4 - x.sum(1)], 1)
            >>> curve = removal_curve(model, x, x, steps=(0.25, 0.5))
            >>> [curve.at(q).prediction.tolist() for q in (0, 0.25, 0.5)]
            [[0], [0], [1]]
        """
        if self.predictions is None:
            raise InputError(
                "predictions of a model whose output is not (n, classes)",
                "(n, classes) with at least two classes",
                "look at the scores instead",
            )
        column = column_of(q, self.counts, self.units)
        every = self.predictions
        return Predictions(every.prediction[:, column], every.margin[:, column])

    def plot(self) -> "Figure":
        """Draw the mean score over the share removed, with the bootstrap's 95 % interval.

        Returns:
            A matplotlib Figure: `figure.savefig(path)` writes it.

        Raises:
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from .curve_figure import draw_curves  # loaded on use

        return draw_curves({"": [self]})

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each sample and step: sample, removed, share, score, and prediction.

        Args:
            path: The file. The prediction is empty for a model without classes.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        write_csv(path, [CSV_COLUMNS, *self.rows()], "curve.to_csv")

    def to_html(self, path: str | Path) -> None:
        """Write a page with the figure, the area and the mean of every step.

        Args:
            path: The file. The page loads nothing from elsewhere.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from ...plot.pages import write_page  # loaded on use

        write_page(path, "Removal curve", self._fragment, "curve.to_html")

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `to_csv`."""
        counts = self.counts.expand(len(self.scores), -1).tolist()
        shares = self.shares.double().expand(len(self.scores), -1).tolist()
        predictions = self.predictions.prediction.tolist() if self.predictions else None
        for i, scores in enumerate(self.scores.tolist()):
            for k, score in enumerate(scores):
                said = None if predictions is None else predictions[i][k]
                yield i, counts[i][k], shares[i][k], score, said

    def _repr_html_(self) -> str:
        from ...plot.pages import notebook_fragment

        return notebook_fragment(self._fragment, repr(self))

    def _fragment(self) -> str:
        from .curve_page import curves_fragment

        return curves_fragment({"": [self]})

    def __repr__(self) -> str:
        """Show the mean curve, because the tensors would fill pages."""
        heights = " ".join(f"{height:.3f}" for height in self.scores.mean(0).tolist())
        setting = f"{self.order}, {self.score}, fill {self.fill}, {len(self.scores)} samples"
        return f"<RemovalCurve {setting}: {heights}>"


def mean_height(values: Tensor, shares: Tensor) -> Tensor:
    """Return the mean height of curves (n, s + 1) over shares (1 or n, s + 1), by trapezoids."""
    middle, width = (values[:, 1:] + values[:, :-1]) / 2, shares.diff(dim=1)
    return (middle * width).sum(1) / width.sum(1)
