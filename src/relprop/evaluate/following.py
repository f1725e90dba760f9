"""Following a score as units are removed: from a subject and an order to a curve.

n  samples      d  units of one sample      s  steps      k  steps in one pass
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..margin import margin
from ..progress import Advance
from .curve import RemovalCurve
from .passes import Subject, passes, untouched
from .ranking import ranks
from .readings import Reading
from .scores import Score, resolve


@dataclass(frozen=True)
class Start:
    """Column 0 of every curve of a subject: the untouched samples."""

    name: str  # of the score
    score: Score
    target: Tensor | None  # (n,)
    scores: Tensor  # (n,)
    reading: Reading | None  # (n,)


def start(subject: Subject, target: Any, name: str, score: Score) -> Start:
    """The untouched samples' target, score and reading."""
    output = untouched(subject.model, subject.inputs, subject.batch_size)
    classes = resolve(output, target, name)
    return Start(name, score, classes, _scored(score, output, classes), _reading(output))


def follow(
    subject: Subject, begun: Start, order: Tensor, name: str, ties: Tensor, advance: Advance
) -> RemovalCurve:
    """The curve of an order (n, d) of units, first gone first."""
    when = subject.units.scatter(ranks(order), order.shape[1])
    columns = subject.counts.shape[1]
    scores = begun.scores[:, None].repeat(1, columns)  # (n, s + 1)
    reading = begun.reading and Reading(
        begun.reading.prediction[:, None].repeat(1, columns),
        begun.reading.margin[:, None].repeat(1, columns),
    )
    for one in passes(subject, when):
        k, here = one.columns.stop - one.columns.start, (one.rows, one.columns)
        target = None if begun.target is None else begun.target[one.rows].repeat(k)
        scores[here] = _scored(begun.score, one.output, target).reshape(k, -1).T
        found = _reading(one.output)
        if reading and found:
            reading.prediction[here] = found.prediction.reshape(k, -1).T
            reading.margin[here] = found.margin.reshape(k, -1).T
        advance(len(one.output))
    return RemovalCurve(
        order=name,
        score=begun.name,
        fill=subject.fill,
        scores=scores.cpu(),
        reading=reading and Reading(reading.prediction.cpu(), reading.margin.cpu()),
        counts=subject.counts.cpu(),
        units=subject.units.count.cpu(),
        target=None if begun.target is None else begun.target.cpu(),
        ties=ties.cpu(),
    )


def _scored(score: Score, output: Tensor, target: Tensor | None) -> Tensor:
    """A score of one's own looks at no target, and may have none."""
    return score(output, torch.empty(0) if target is None else target)


def _reading(output: Tensor) -> Reading | None:
    classes = output.ndim == 2 and output.shape[1] >= 2
    return Reading(output.argmax(1), margin(output)) if classes else None
