"""Curves as named tensors that a file can keep, samples first in each, and back.

n  samples      s  steps      k  methods
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..evaluate import MethodCurves, Order, Predictions, RemovalCurve
from .settings import Task

Curves = Mapping[str, MethodCurves]  # method -> its curves


def as_tensors(fill: str, curves: Curves) -> dict[str, Tensor]:
    """The curves of a fill; the random one, which is the same for all methods, once."""
    named = {f"{fill}/random": next(iter(curves.values())).random}
    for method, three in curves.items():
        named |= {f"{fill}/morf/{method}": three.morf, f"{fill}/lerf/{method}": three.lerf}
    found: dict[str, Tensor] = {}
    for name, curve in named.items():
        assert (
            curve.predictions is not None
        )  # a score of a class needs classes, and so has a reading
        found |= {
            f"{name}/scores": curve.scores,
            f"{name}/prediction": curve.predictions.prediction.to(torch.int16),
            f"{name}/margin": curve.predictions.margin,
            f"{name}/ties": curve.ties,
        }
    return found


def joined(blocks: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of all blocks, one after the other."""
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def as_curves(fill: str, tensors: Mapping[str, Tensor], task: Task) -> Curves:
    """The curves of a fill again."""

    def curve(name: str, order: Order) -> RemovalCurve:
        fields = ("scores", "prediction", "margin", "ties")
        scores, prediction, margin, ties = (tensors[f"{fill}/{name}/{field}"] for field in fields)
        return RemovalCurve(
            order=order,
            score=task.settings.score,
            fill=fill,
            scores=scores,
            predictions=Predictions(prediction.long(), margin),
            counts=torch.tensor([[0, *task.removed]]),
            units=torch.tensor([task.pixels]),
            target=tensors["target"],
            ties=ties,
        )

    random = curve("random", "random")
    return {
        text: MethodCurves(curve(f"morf/{text}", "morf"), curve(f"lerf/{text}", "lerf"), random)
        for text in task.settings.methods
    }


def thinned(curves: MethodCurves, columns: Sequence[int]) -> MethodCurves:
    """The same curves with some of their columns, (k of s + 1)."""

    def few(curve: RemovalCurve) -> RemovalCurve:
        here = list(columns)
        reading = curve.predictions and Predictions(
            curve.predictions.prediction[:, here], curve.predictions.margin[:, here]
        )
        return replace(
            curve, scores=curve.scores[:, here], predictions=reading, counts=curve.counts[:, here]
        )

    return MethodCurves(few(curves.morf), few(curves.lerf), few(curves.random))
