"""Error rate and margins of a batch of predictions, each with a 95 % confidence interval.

Takes predictions and labels. Gives frozen records of plain Python numbers; a number of an empty
group is None, never NaN. Must not know which model predicted, nor what was removed from its input.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...support.estimates import CONFIDENCE, Interval
from ...support.extras import needs
from .predictions import Predictions


@dataclass(frozen=True)
class Proportion:
    """A proportion with its confidence interval.

    Attributes:
        count: Samples that have the property.
        n: All samples.
        value: count / n.
        interval: 95 % Wilson score interval.
    """

    count: int
    n: int
    value: float
    interval: Interval


@dataclass(frozen=True)
class MarginStatistics:
    """The margins of a group of samples.

    Attributes:
        n: Number of samples in the group.
        largest: Largest margin; None for an empty group.
        mean: Mean margin; None for an empty group.
        interval: 95 % Student t interval of the mean; None where n < 2.
    """

    n: int
    largest: float | None
    mean: float | None
    interval: Interval | None


@dataclass(frozen=True)
class ClassificationSummary:
    """How well predictions match the labels, and how confident they are.

    Attributes:
        correct: Margins of the samples that are classified correctly.
        wrong: Margins of the samples that are classified wrongly.
        error_rate: Proportion of samples that are classified wrongly.
    """

    correct: MarginStatistics
    wrong: MarginStatistics
    error_rate: Proportion


def classification_summary(predictions: Predictions, labels: Tensor) -> ClassificationSummary:
    """Summarise predictions: error rate, and margins of correct and wrong predictions.

    Args:
        predictions: Predicted classes and margins of n >= 1 samples, from `predict` or
            `RemovalCurve.at`.
        labels: True classes, (n,), on the device of the predictions.

    Returns:
        The error rate and the margins, with 95 % intervals.

    Raises:
        MissingExtraError: scipy is not installed.

    Example:
        >>> import torch
        >>> from relprop.evaluate import Predictions, classification_summary
        >>> predictions = Predictions(torch.tensor([0, 1, 1]), torch.tensor([0.5, 0.75, 0.25]))
        >>> summary = classification_summary(predictions, torch.tensor([0, 1, 0]))
        >>> summary.error_rate.count, summary.error_rate.n
        (1, 3)
        >>> summary.correct.largest, summary.wrong.largest
        (0.75, 0.25)
    """
    right = predictions.prediction == labels
    return ClassificationSummary(
        correct=margin_statistics(predictions.margin[right]),
        wrong=margin_statistics(predictions.margin[~right]),
        error_rate=proportion(int((~right).sum()), len(labels)),
    )


def proportion(count: int, n: int) -> Proportion:
    """Estimate the proportion count / n, n >= 1, with the Wilson score interval (Wilson 1927)."""
    stats = _scipy_stats()
    low, high = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(count, n, count / n, Interval(float(low), float(high)))


def margin_statistics(margins: Tensor) -> MarginStatistics:
    """Summarise margins (n,) by the largest and the mean, whose interval is cut to [0, 1]."""
    n = len(margins)
    if n == 0:
        return MarginStatistics(0, None, None, None)
    margins = margins.double()
    mean, largest = float(margins.mean()), float(margins.max())
    if n == 1:
        return MarginStatistics(1, largest, mean, None)
    t = float(_scipy_stats().t.ppf((1 + CONFIDENCE) / 2, n - 1))
    half = t * float(margins.std()) / n**0.5
    interval = Interval(max(0.0, mean - half), min(1.0, mean + half))
    return MarginStatistics(n, largest, mean, interval)


def _scipy_stats() -> Any:
    with needs("evaluate", "confidence intervals"):
        from scipy import stats
    return stats
