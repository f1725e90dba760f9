"""Following a score as units are removed: from a subject and an order to a curve.

n  samples      d  units of one sample      s  steps
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...support.margin import margin
from ...support.progress import Advance
from ..statistics.predictions import Predictions
from .forward_passes import Subject, differing, passes, untouched
from .ranking import departures
from .removal_curve import RemovalCurve
from .scores import Score, resolve


@dataclass(frozen=True)
class Start:
    """Column 0 of every curve of a subject: the untouched samples."""

    name: str  # of the score
    score: Score
    target: Tensor | None  # (n,)
    scores: Tensor  # (n,)
    predictions: Predictions | None  # (n,)


def start(subject: Subject, target: Any, name: str, score: Score) -> Start:
    """The untouched samples' target, score and reading."""
    output = untouched(subject.model, subject.inputs, subject.batch_size)
    classes = resolve(output, target, name)
    return Start(name, score, classes, _scored(score, output, classes), _reading(output))


def follow(
    subject: Subject, begun: Start, order: Tensor, name: str, ties: Tensor, advance: Advance
) -> RemovalCurve:
    """The curve of an order (n, d) of units, first gone first."""
    departure = subject.units.scatter(departures(order, subject.counts), subject.counts.shape[1])
    run = differing(subject, departure)
    advance(int((~run).sum()))
    scores, readings = [begun.scores], [begun.predictions]  # of the first column, then of each pass
    for one in passes(subject, departure, run):
        target = None if begun.target is None else begun.target[one.rows.to(begun.target.device)]
        scores.append(_scored(begun.score, one.output, target))
        readings.append(_reading(one.output))
        advance(len(one.output))
    last = _last(run).cpu()
    return RemovalCurve(
        order=name,
        score=begun.name,
        fill=subject.fill,
        scores=torch.cat(scores).cpu()[last],
        predictions=_joined(readings, last),
        counts=subject.counts.cpu(),
        units=subject.units.count.cpu(),
        target=None if begun.target is None else begun.target.cpu(),
        ties=ties.cpu(),
    )


def _last(run: Tensor) -> Tensor:
    """The number of the last run of each sample up to each column, (n, s + 1).

    run  (n, s + 1) boolean, True in the first column; runs are numbered column by column
    """
    numbers = (run.T.flatten().cumsum(0) - 1).reshape(run.T.shape)
    return numbers.where(run.T, 0).cummax(0).values.T


def _joined(readings: Sequence[Predictions | None], last: Tensor) -> Predictions | None:
    """The readings of all runs, where they are in the curves, (n, s + 1)."""
    found = [one for one in readings if one]
    if len(found) < len(readings):
        return None
    predictions, margins = [one.prediction for one in found], [one.margin for one in found]
    return Predictions(torch.cat(predictions).cpu()[last], torch.cat(margins).cpu()[last])


def _scored(score: Score, output: Tensor, target: Tensor | None) -> Tensor:
    """A score of one's own looks at no target, and may have none."""
    return score(output, torch.empty(0) if target is None else target)


def _reading(output: Tensor) -> Predictions | None:
    classes = output.ndim == 2 and output.shape[1] >= 2
    return Predictions(output.argmax(1), margin(output)) if classes else None
