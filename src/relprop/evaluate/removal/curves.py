"""Removal curves: how the score of each sample falls as more and more of it is removed.

Takes a model, a batch, and relevance of any source. Must not know where that came from.

    n  samples      d  units of one sample      s  steps      c  classes
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...support.progress import QUIET, Advance, Progress
from ..fills.base import Fill, Values
from ..fills.token_deletion import Deletion
from .forward_passes import Subject
from .measures import srg
from .ranking import (
    Order,
    check_order,
    check_permutation,
    existing_first,
    ranking,
    tie_count,
)
from .relevance import Relevance, early, late
from .removal_curve import RemovalCurve
from .score_curve import Start, follow, start
from .scores import as_score
from .steps import Spacing, Steps
from .subject import prepare
from .units import Maker, Units

Filling = str | float | Tensor | Values | Fill | Deletion
Scoring = str | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MethodCurves:
    """The three curves of one relevance. The random one is the same for all methods of a run."""

    morf: RemovalCurve
    lerf: RemovalCurve
    random: RemovalCurve

    @property
    def srg(self) -> Tensor:
        """Symmetric relevance gain of each sample, (n,)."""
        return srg(self.morf, self.lerf)


def removal_curve(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: Relevance | None,
    *,
    target: int | Tensor | None = None,
    order: Order | Tensor = "morf",
    fill: Filling = "zero",
    steps: Steps = 20,
    spacing: Spacing = "linear",
    score: Scoring = "probability",
    units: Units | Maker | None = None,
    removed: str | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> RemovalCurve:
    """Remove units of each sample in one order, and score what is left after each step.

    model       from a batch to scores (n, c), logits rather than probabilities; in eval mode
    x           (n, *features), or a mapping of keyword inputs such as input_ids, attention_mask
    relevance   of any source: like x, or one number for each unit; of pictures also without
                channels. Or a function (model, x, target) -> that, called with at most batch_size
                samples. None: for orders that do not need it
    target      the class that is followed. None: what the model predicts of the untouched sample;
                a class; a class for each sample (n,)
    order       "morf": most relevant first; "lerf": least relevant first; "random"; or a
                permutation of the units for each sample, (n, d)
    fill        what removed entries become: a name of `relprop.evaluate.FILLS`, a number, a tensor,
                a function (x, gone, generator) -> values, or a Fill; of text also `delete()`,
                `hide()`
    steps       how many, up to everything; or rising shares (floats) or counts (ints) of units
    spacing     "linear" or "log": of a number of steps
    score       "probability" of the target, by softmax; "logit"; "margin" of the class that leads,
                as `relprop.margin`; "signed_margin" of the target over all others; "accuracy"; or
                a function from the output to one number for each sample
    units       what is removed together: `pixels` (default for pictures), `entries` (default for
                the rest), `patches(4)`, `superpixels(50)`, `columns(groups)`, `tokens(present)`
    removed     the name of the input that is removed from, if x is a mapping. None: the first
    batch_size  samples in a forward pass; changes nothing but time and memory
    seed        of random orders, of ties, and of fills that are drawn
    Raises InputError before the model runs if an argument is wrong, and while it runs if what a
    function gives is.
    """
    subject = prepare(model, x, fill, steps, spacing, units, removed, batch_size, seed)
    _check_order(subject, relevance, order)
    ready = None if relevance is None else early(subject, relevance)
    with torch.no_grad():
        begun = start(subject, target, *as_score(score))
        found = None if ready is None else late(subject, ready, begun.target)
        return _curve(subject, begun, found, order, lambda done: None)


def removal_curves(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    methods: Mapping[str, Relevance],
    *,
    target: int | Tensor | None = None,
    fill: Filling = "zero",
    steps: Steps = 20,
    spacing: Spacing = "linear",
    score: Scoring = "probability",
    units: Units | Maker | None = None,
    removed: str | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Mapping[str, MethodCurves]:
    """All three orders for several methods on the same samples, the same random order for all.

    methods  name -> relevance
    The rest is as for `removal_curve`. The model sees untouched and randomly removed samples once.
    """
    subject = prepare(model, x, fill, steps, spacing, units, removed, batch_size, seed)
    ready = {name: early(subject, relevance) for name, relevance in methods.items()}
    total = len(subject.x) * (subject.counts.shape[1] - 1) * (1 + 2 * len(methods))
    with torch.no_grad(), progress.stage("Removal", total, "inputs") as advance:
        begun = start(subject, target, *as_score(score))
        random = _curve(subject, begun, None, "random", advance)
        curves = {}
        for name, relevance in ready.items():
            found = late(subject, relevance, begun.target)
            morf, lerf = (_curve(subject, begun, found, o, advance) for o in ("morf", "lerf"))
            curves[name] = MethodCurves(morf, lerf, random)
    return MappingProxyType(curves)


def _curve(
    subject: Subject, begun: Start, found: Tensor | None, order: Any, advance: Advance
) -> RemovalCurve:
    """The curve of a named order of relevance (n, d), or of a given permutation."""
    n, count = len(subject.x), subject.units.count
    no_ties = count.new_zeros(n)
    if isinstance(order, Tensor):
        ranked = existing_first(order.to(count.device), count)
        return follow(subject, begun, ranked, "custom", no_ties, advance)
    if found is None:  # "random" looks at its shape alone
        found = torch.zeros(n, int(count.max()), device=count.device)
    ranked = existing_first(ranking(found, order, seed=subject.seed), count)
    ties = no_ties if order == "random" else tie_count(found, ranked, count)
    return follow(subject, begun, ranked, order, ties, advance)


def _check_order(subject: Subject, relevance: Relevance | None, order: Order | Tensor) -> None:
    if isinstance(order, Tensor):
        check_permutation(order, len(subject.x), subject.units.count)
        return
    check_order(order)
    if relevance is None and order != "random":
        raise InputError(
            f'no relevance for order="{order}"',
            'relevance, or order="random", or a permutation (n, d)',
            "give a tensor like x",
        )
