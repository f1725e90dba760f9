"""Removal curves as named tensors that fit into a file, samples first in each, and back.

Takes and gives the curves of one fill. Must not know files.

n  samples      s  steps      k  selected columns
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..evaluate import MethodCurves, Order, Predictions, RemovalCurve
from .task import Task

Curves = Mapping[str, MethodCurves]  # method -> its curves


def to_tensors(fill: str, curves: Curves) -> dict[str, Tensor]:
    """Name the tensors of all curves; the random curve, equal for all methods, is stored once."""
    named = {f"{fill}/random": next(iter(curves.values())).random}
    for method, method_curves in curves.items():
        named[f"{fill}/morf/{method}"] = method_curves.morf
        named[f"{fill}/lerf/{method}"] = method_curves.lerf
    tensors: dict[str, Tensor] = {}
    for name, curve in named.items():
        # models are classifiers, so that there are classes to predict
        assert curve.predictions is not None
        tensors |= {
            f"{name}/scores": curve.scores,
            f"{name}/prediction": curve.predictions.prediction.to(torch.int16),
            f"{name}/margin": curve.predictions.margin,
            f"{name}/ties": curve.ties,
        }
    return tensors


def concatenate(blocks: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Concatenate the tensors of blocks along the samples."""
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def from_tensors(fill: str, tensors: Mapping[str, Tensor], task: Task) -> Curves:
    """Rebuild the curves of a fill from the tensors that `to_tensors` named."""

    def curve(name: str, order: Order) -> RemovalCurve:
        fields = ("scores", "prediction", "margin", "ties")
        scores, prediction, margin, ties = (tensors[f"{fill}/{name}/{field}"] for field in fields)
        return RemovalCurve(
            order=order,
            score=task.settings.score,
            fill=fill,
            scores=scores,
            predictions=Predictions(prediction.long(), margin),
            counts=torch.tensor([[0, *task.removed_counts]]),
            units=torch.tensor([task.pixels]),
            target=tensors["target"],
            ties=ties,
        )

    random = curve("random", "random")
    return {
        method: MethodCurves(
            curve(f"morf/{method}", "morf"), curve(f"lerf/{method}", "lerf"), random
        )
        for method in task.settings.methods
    }


def select_columns(curves: MethodCurves, columns: Sequence[int]) -> MethodCurves:
    """Keep some of the s + 1 columns of the three curves."""

    def select(curve: RemovalCurve) -> RemovalCurve:
        chosen = list(columns)
        predictions = curve.predictions and Predictions(
            curve.predictions.prediction[:, chosen], curve.predictions.margin[:, chosen]
        )
        scores, counts = curve.scores[:, chosen], curve.counts[:, chosen]
        return replace(curve, scores=scores, predictions=predictions, counts=counts)

    return MethodCurves(select(curves.morf), select(curves.lerf), select(curves.random))
