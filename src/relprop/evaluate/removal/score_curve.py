"""From an order of units to a curve: run the model on what is left after each step, and score it.

Takes a model, a setup and an order. Gives a curve. Must not know which relevance the order is by.

n  samples      d  units of a sample      s  steps, so that a curve has s + 1 columns
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...support.checks import is_classification
from ...support.output_kinds import OutputKind
from ...support.progress import Advance
from ..statistics.predictions import Predictions, predictions_of, resolve_output_kind
from .forward_passes import batch_slices, forward_passes, original_output
from .removal_curve import RemovalCurve
from .removed_inputs import changed_columns, entry_columns
from .scores import SCORES, NamedScore, refuse_mixing_score, resolve_target_classes
from .setup import RemovalSetup
from .unit_order import UnitOrder


@dataclass(frozen=True)
class OriginalScores:
    """Column 0 of every curve: the scores of the original samples.

    Attributes:
        score: The score, with its name.
        target: The class whose score it is, (n,); None for an output without classes.
        scores: Scores, (n,).
        predictions: Predicted classes and margins, (n,); None for an output without classes.
        kind: What the numbers of the model's output are.
    """

    score: NamedScore
    target: Tensor | None
    scores: Tensor
    predictions: Predictions | None
    kind: OutputKind


def score_originals(
    model: Callable[..., Any],
    setup: RemovalSetup,
    target: Any,
    score: NamedScore,
    output_kind: OutputKind | None,
) -> OriginalScores:
    """Run the model on the original samples; resolve the target, score and predict."""
    output = original_output(model, setup.inputs, setup.batch_size)
    shows_kind = is_classification(output) or output_kind is not None
    known = resolve_output_kind(output, output_kind) if shows_kind else "other"
    classes = resolve_target_classes(output, target, score.name, known)
    scores, predictions = _score(score, output, classes, known), _predictions(output, known)
    if score.name not in SCORES:
        refuse_mixing_score(lambda o: _score(score, o, classes, known), output, scores)
    return OriginalScores(score, classes, scores, predictions, known)


def score_curve(
    model: Callable[..., Any],
    setup: RemovalSetup,
    originals: OriginalScores,
    order: UnitOrder,
    advance: Advance,
) -> RemovalCurve:
    """Remove units in one order, and score what is left after each step."""
    removed_at = entry_columns(setup, order.units)
    slices = batch_slices(len(removed_at), setup.batch_size)
    needed = changed_columns(setup, removed_at, slices)
    advance(int((~needed).sum()))
    target = originals.target
    # of the first column, then of each forward pass
    scores, predictions = [originals.scores], [originals.predictions]
    for batch in forward_passes(model, setup, removed_at, needed):
        classes = None if target is None else target[batch.rows.to(target.device)]
        scores.append(_score(originals.score, batch.output, classes, originals.kind))
        predictions.append(_predictions(batch.output, originals.kind))
        advance(len(batch.output))
    latest = _latest_run(needed).cpu()
    return RemovalCurve(
        order=order.name,
        score=originals.score.name,
        fill=setup.fill_name,
        scores=torch.cat(scores).cpu()[latest],
        predictions=_arrange(predictions, latest),
        counts=setup.counts.cpu(),
        units=setup.units.count.cpu(),
        target=None if target is None else target.cpu(),
        ties=order.ties.cpu(),
    )


def _latest_run(needed: Tensor) -> Tensor:
    """Return the index of each sample's most recent run up to each column, (n, s + 1).

    The model runs on the samples that are `needed`, boolean (n, s + 1) and True in the first
    column; runs are numbered column by column.
    """
    numbers = (needed.T.flatten().cumsum(0) - 1).reshape(needed.T.shape)
    return numbers.where(needed.T, 0).cummax(0).values.T


def _arrange(runs: Sequence[Predictions | None], latest: Tensor) -> Predictions | None:
    """Arrange the predictions of all runs as columns of the curves, (n, s + 1)."""
    known = [run for run in runs if run]
    if len(known) < len(runs):
        return None
    prediction = torch.cat([run.prediction for run in known])
    margins = torch.cat([run.margin for run in known])
    return Predictions(prediction.cpu()[latest], margins.cpu()[latest])


def _score(score: NamedScore, output: Tensor, target: Tensor | None, kind: OutputKind) -> Tensor:
    # a custom score takes no target, and there may be none
    return score.function(output, torch.empty(0) if target is None else target, kind)


def _predictions(output: Tensor, kind: OutputKind) -> Predictions | None:
    return predictions_of(output, kind) if is_classification(output) else None
