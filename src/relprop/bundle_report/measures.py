"""How good predictions are: by class, by label, of a value, and how well probabilities hold.

Takes outputs and targets. Gives frozen records of plain numbers with intervals. Must not know
models or pages.

    n  samples      k  classes or labels
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..evaluate.statistics.classification import Proportion, proportion
from ..support.estimates import Estimate, bootstrap_mean
from ..support.extras import needs

BINS = 10  # of probabilities, from 0 to 1


@dataclass(frozen=True)
class ClassMeasures:
    """How well a class or label is told from the others.

    Attributes:
        name: Its name.
        n: Samples that have it.
        recall: Share of them that are predicted as such; None where there are none.
        precision: Share of the samples predicted as such that have it; None where there are none.
        f1: Harmonic mean of both, 2 hits / (n + predicted); None without either.
        average_precision: Area under the curve of precision over recall; None where it is not
            measured, or all or no samples have it.
    """

    name: str
    n: int
    recall: Proportion | None
    precision: Proportion | None
    f1: float | None
    average_precision: float | None = None


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions whose probabilities are close.

    Attributes:
        low, high: The probabilities lie above `low`, and at most at `high`.
        confidence: Their mean.
        right: Share of the predictions that hold.
    """

    low: float
    high: float
    confidence: float
    right: Proportion


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities are shares: of predictions with 0.8, eight of ten should hold.

    Attributes:
        bins: Those that hold predictions.
        error: Expected calibration error, sum over bins of n_b / n |right - confidence|.
        n: Number of predictions.

    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """

    bins: tuple[CalibrationBin, ...]
    error: float
    n: int


@dataclass(frozen=True)
class ValueMeasures:
    """How far predicted values are off, in their own units.

    Attributes:
        absolute: Mean of |predicted - true|.
        root_square: Root of the mean of (predicted - true)^2.
        r2: 1 - sum (predicted - true)^2 / sum (true - mean)^2; None where all are equal.
    """

    absolute: Estimate
    root_square: float
    r2: float | None


def confusion_matrix(predicted: Tensor, true: Tensor, k: int) -> Tensor:
    """Count samples by their class, and by the predicted one.

    Args:
        predicted: Class numbers, (n,).
        true: Class numbers, (n,).
        k: Number of classes.

    Returns:
        (k, k), true classes in rows.
    """
    return torch.bincount(true * k + predicted, minlength=k * k).reshape(k, k)


def class_measures(confusion: Tensor, names: Sequence[str]) -> list[ClassMeasures]:
    """Measure each class of a confusion matrix (k, k)."""
    hits = confusion.diag().tolist()
    true, predicted = confusion.sum(1).tolist(), confusion.sum(0).tolist()
    return [_measured(*one) for one in zip(names, hits, true, predicted, strict=True)]


def label_measures(logits: Tensor, labels: Tensor, names: Sequence[str]) -> list[ClassMeasures]:
    """Measure each of several labels, which are predicted where a logit is above 0.

    Args:
        logits: (n, k).
        labels: (n, k) of 0 and 1.
        names: Names of the labels.
    """
    with needs("fit", "measures of labels"):
        from sklearn.metrics import average_precision_score
    true, predicted = labels > 0.5, logits > 0
    counts = ((true & predicted).sum(0), true.sum(0), predicted.sum(0))
    rows = zip(names, *(one.tolist() for one in counts), strict=True)
    measured = []
    for i, (name, hits, having, found) in enumerate(rows):
        both = 0 < having < len(labels)
        area = float(average_precision_score(true[:, i], logits[:, i])) if both else None
        measured.append(_measured(name, hits, having, found, area))
    return measured


def _measured(
    name: str, hits: int, true: int, predicted: int, area: float | None = None
) -> ClassMeasures:
    return ClassMeasures(
        name,
        true,
        proportion(hits, true) if true else None,
        proportion(hits, predicted) if predicted else None,
        2 * hits / (true + predicted) if true + predicted else None,
        area,
    )


def calibration(probabilities: Tensor, right: Tensor) -> Calibration:
    """Compare probabilities of predictions with how many of them hold, in bins of equal width.

    Args:
        probabilities: Of each prediction, (n,), n >= 1.
        right: Whether it holds, (n,).
    """
    place = (probabilities.double() * BINS).ceil().long().clamp(1, BINS) - 1
    bins, error = [], 0.0
    for b in torch.unique(place).tolist():
        inside = place == b
        share = proportion(int(right[inside].sum()), int(inside.sum()))
        confidence = float(probabilities[inside].double().mean())
        bins.append(CalibrationBin(b / BINS, (b + 1) / BINS, confidence, share))
        error += share.n / len(right) * abs(share.value - confidence)
    return Calibration(tuple(bins), error, len(right))


def value_measures(predicted: Tensor, true: Tensor) -> ValueMeasures:
    """Measure predicted values, (n,), n >= 1, against true ones."""
    difference = predicted.double() - true.double()
    spread = float((true.double() - true.double().mean()).square().sum())
    squares = float(difference.square().sum())
    return ValueMeasures(
        bootstrap_mean(difference.abs()),
        (squares / len(true)) ** 0.5,
        1 - squares / spread if spread else None,
    )
