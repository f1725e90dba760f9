"""How good outputs are, in numbers with 95 % intervals.

Takes outputs and targets of a part of the data. Must not know models.

    n  samples      k  outputs
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..bundles.content import Metric, ValueScale
from ..data.dataset import TaskKind
from ..evaluate.statistics.classification import proportion
from ..support.estimates import CONFIDENCE, RESAMPLES, bootstrap_mean
from ..support.extras import needs
from ..training.objectives import score


def measure(
    outputs: Tensor, targets: Tensor, task: TaskKind, scale: ValueScale
) -> tuple[Metric, ...]:
    """Measure outputs, the score of the search first.

    Args:
        outputs: What a model gave, (n, k): logits, or standardised values.
        targets: Targets, as `Examples` has them.
        task: What is predicted.
        scale: Units of a value.
    """
    if task == "classes":
        return _measure_classes(outputs, targets)
    if task == "labels":
        right = ((outputs > 0) == (targets > 0.5)).double().mean(1)
        precision = score(outputs, targets, task)
        return (
            Metric("mean average precision", precision, None, None, len(targets)),
            _mean("share of right labels", right),
        )
    error = ((outputs - targets)[:, 0] * scale.std).double()
    return (
        _r2(outputs[:, 0].double().numpy(), targets[:, 0].double().numpy()),
        _mean("mean absolute error", error.abs()),
    )


def _measure_classes(outputs: Tensor, targets: Tensor) -> tuple[Metric, ...]:
    predicted = outputs.argmax(1)
    right = predicted == targets
    found = proportion(int(right.sum()), len(right))
    low, high = found.interval.low, found.interval.high
    recalls = [right[targets == number].double().mean() for number in set(targets.tolist())]
    loss = -outputs.double().log_softmax(1).gather(1, targets[:, None])[:, 0]
    return (
        Metric("accuracy", found.value, low, high, found.n),
        Metric("mean recall of classes", float(sum(recalls) / len(recalls)), None, None, found.n),
        _mean("log loss", loss),
    )


def _mean(name: str, values: Tensor) -> Metric:
    found = bootstrap_mean(values)
    interval = found.interval
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Metric(name, found.mean, low, high, found.n)


def _r2(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> Metric:
    """Return the share of the variance that is explained, with its bootstrap interval."""

    def explained(rows: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        wanted, left = true[rows], true[rows] - predicted[rows]
        spread = ((wanted - wanted.mean(axis=axis, keepdims=True)) ** 2).sum(axis)
        varies = np.ptp(wanted, axis=axis) > 0  # of few samples a draw may have equal ones alone
        ratio: NDArray[np.float64] = (left**2).sum(axis) / np.where(varies, spread, np.nan)
        return 1 - ratio

    n, rows = len(true), np.arange(len(true))
    if n < 2 or np.ptp(true) == 0:
        return Metric("R^2", None, None, None, n)
    with needs("fit", "intervals of metrics"):
        from scipy.stats import DegenerateDataWarning, bootstrap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # draws of equal samples: see above
        found = bootstrap(
            (rows,),
            explained,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            batch=max(1, 2**22 // n),
            rng=0,
        )
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.nanquantile(found.bootstrap_distribution, tails)
    return Metric("R^2", float(explained(rows)), float(low), float(high), n)
