"""The program: the executable form of a plan. Runs forward, then carries relevance backward.

Each step runs its operation and returns its backward pass, which is dropped as soon as it has run.
Plain torch operations; the model is not touched.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..plan.plan import Plan
from ..rules.backward import Absorbed, Back, Form, relevance
from .observer import Observer
from .schedule import ScheduledStep, schedule
from .size_values import SizeValues
from .weight_cache import WeightCache


class BackwardStep(NamedTuple):
    """A step that ran, and its backward pass."""

    scheduled: ScheduledStep
    back: Back


class Contribution(NamedTuple):
    """What one step gives to one of its inputs.

    Attributes:
        owned: Whether nobody else holds the tensor, so that it may be overwritten.
    """

    tensor: Tensor
    form: Form
    owned: bool


@dataclass
class Trace:
    """One forward pass: its output, and what the backward pass needs.

    Attributes:
        output: The model's output.
        scores: What relevance starts from, of its shape: the output, or its logits.
        segments: `segments[k]()` returns the backward steps of the k-th stretch of steps. There is
            one stretch, or with recompute several, which it then runs again.
        values: The model's parameters and inputs, and the values that the backward pass needs:
            where relevance is taken, where two forms of it meet, and those that were asked for.
        rerun: Runs the same forward pass once more.
    """

    output: Tensor
    scores: Tensor
    segments: list[Callable[[], list[BackwardStep]]]
    values: dict[str, Any]
    rerun: Callable[[], "Trace"]


class Program:
    """A plan whose steps are lowered, once for all runs."""

    def __init__(self, plan: Plan, shares_weights_with: "Program | None" = None) -> None:
        """Lower a plan.

        Args:
            plan: The plan.
            shares_weights_with: Another program with steps of the same names, whose cache of
                derived weights serves both.
        """
        other = shares_weights_with
        self.plan = plan
        self._output, self._scores = plan.graph.output, plan.graph.scores
        self.sources = [name for name in plan.sources if name in plan.forms]
        self._weights: WeightCache = other._weights if other else WeightCache(plan)
        self._steps = schedule(plan, self._weights)
        self._of_sizes = SizeValues(plan.graph, self._steps)

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        keep: Container[str] = (),
        account: bool = False,
        recompute: bool = False,
    ) -> Trace:
        """Run the model, and keep what the backward pass needs.

        Args:
            inputs: Input tensors by label.
            state: The model's parameters and buffers by value name.
            keep: Names of further values to keep.
            account: Keep what the ledger needs as well: every value, and what `absorbed` reads.
            recompute: Keep values at a few places alone, and run the steps between them again in
                the backward pass (gradient checkpointing).
        """
        values = self.plan.graph.initial_values(inputs, state)
        self._weights.invalidate_stale(values)
        of_sizes = None if account else self._of_sizes.find(values)
        to_run = self._steps if of_sizes is None else self._of_sizes.others
        values.update(of_sizes or {})
        initial = dict(values)
        length = math.isqrt(len(to_run)) if recompute else len(to_run)
        steps: list[BackwardStep] = []
        segments: list[Callable[[], list[BackwardStep]]] = [lambda: steps]
        if recompute:
            segments = [partial(self._run_again, initial, to_run[:1])]
        for i, scheduled in enumerate(to_run):
            values[scheduled.name], back = scheduled.run(values)
            if back is not None and not recompute:
                steps.append(_backward_step(scheduled, back, account))
            if scheduled.last_used and not account:
                for name in scheduled.last_used:
                    if name not in keep:
                        del values[name]
            if recompute and i % length == 0:
                part = to_run[i + 1 : i + 1 + length]
                segments.append(partial(self._run_again, dict(values), part))
        self._weights.record_fingerprints(initial)
        output = scores = values[self._output].contiguous()  # as the model's own is
        if self._scores != self._output:
            scores = values[self._scores].contiguous()
        rerun = partial(self.forward, inputs, state, keep, account)
        return Trace(output, scores, segments, values, rerun)

    def _run_again(
        self, before: Mapping[str, Any], part: Sequence[ScheduledStep]
    ) -> list[BackwardStep]:
        """Run some steps again, from the values before them."""
        values, steps = dict(before), list[BackwardStep]()
        for scheduled in part:
            values[scheduled.name], back = scheduled.run(values)
            if back is not None:
                steps.append(_backward_step(scheduled, back, account=False))
            for name in scheduled.last_used:
                del values[name]
        return steps

    def backward(
        self,
        trace: Trace,
        c: Tensor,
        observers: Sequence[Observer] = (),
        again: bool = False,
        functional: bool = False,
    ) -> dict[str, Tensor]:
        """Carry relevance from the scores to each source.

        Args:
            trace: The forward pass.
            c: Initial relevance per unit of the scores, of their shape.
            observers: Look at relevance on its way.
            again: The trace serves another backward pass; if not, it is freed on the way.
            functional: Overwrite nothing: for torch.func.vmap and torch.compile.

        Returns:
            Relevance by source.
        """
        plan, tracked = self.plan, torch.is_grad_enabled()
        last = not again and not tracked
        # Nobody else holds what one step passes to the next.
        may_overwrite = not (observers or functional or tracked)
        waiting = defaultdict[str, list[Contribution]](list)
        waiting[self._scores].append(Contribution(c, Form.PER_UNIT, False))
        for scheduled, back in reversed_steps(trace, again):
            step, owned = scheduled.step, may_overwrite and scheduled.gives_own
            arrived = waiting.pop(scheduled.name)
            v, form, _ = arrived[0]
            if observers or len(arrived) > 1 or form is not step.arriving:
                v = self.arrive(scheduled.name, arrived, trace.values, observers, last)
            if last and not scheduled.aliases_output:
                back.release()
            in_place = back.in_place if may_overwrite and scheduled.overwrites else None
            pulled = in_place(v) if in_place else back.pull(v)
            parts = pulled if isinstance(pulled, tuple) else (pulled,)
            assert step.leaving is not None
            for route, part in zip(step.routes, parts, strict=True):
                waiting[route].append(Contribution(part, step.leaving, owned))
            for observer in observers:
                observer.passed(step, back.absorbed, v, parts, [True] * len(parts))
            del back, in_place, arrived, v, pulled, parts  # before the next step runs
        relevances = {}
        for name in self.sources:
            value = trace.values[name]
            v = self.arrive(name, waiting[name], trace.values, observers, last)
            v = value * v if plan.forms[name] is Form.PER_UNIT else v
            relevances[name] = v.to(value.dtype).contiguous()  # also under autocast
        return relevances

    def arrive(
        self,
        name: str,
        contributions: list[Contribution],
        values: Mapping[str, Any],
        observers: Sequence[Observer] = (),
        in_place: bool = False,
    ) -> Tensor:
        """Add up contributions to a value, in the one form that is expected there.

        Args:
            name: Name of the value.
            contributions: What its consumers give to it.
            values: Values by name; needed where forms are mixed.
            observers: Are shown the sum.
            in_place: Whether a sum of two, which is a new tensor, may be overwritten, too.
        """
        form, (first, *others) = self.plan.forms[name], contributions
        if not others and first.form is form:
            total = first.tensor
        else:
            total = _accumulate(contributions, form, values.get(name), in_place)
        for observer in observers:
            observer.arrived(name, total, form, values.get(name))
        return total


def reversed_steps(trace: Trace, again: bool) -> Iterator[BackwardStep]:
    """Yield each step, from the last to the first; it is freed with the step, unless `again`."""
    segments = list(trace.segments) if again else trace.segments
    while segments:
        steps = segments.pop()()
        steps = list(steps) if again else steps
        while steps:
            yield steps.pop()


def _accumulate(
    contributions: Sequence[Contribution], form: Form, value: Tensor | None, in_place: bool
) -> Tensor:
    """Add up contributions in one form, if possible in the memory of one of them.

    Args:
        contributions: What the consumers of a value give to it.
        form: The form of the sum.
        value: The value; needed where forms are mixed.
        in_place: Whether a sum of two, which is a new tensor, may be overwritten, too.
    """
    if form is Form.RELEVANCE:
        contributions = [_as_relevance(one, value) for one in contributions]
    first, *others = sorted(contributions, key=lambda one: not one.owned)
    total, owned = first.tensor, first.owned
    for tensor, _, _ in others:
        fits = owned and tensor.shape == total.shape and tensor.dtype is total.dtype
        total = total.add_(tensor) if fits else total + tensor
        owned = owned or in_place
    return total


def _as_relevance(contribution: Contribution, value: Tensor | None) -> Contribution:
    if contribution.form is Form.RELEVANCE:
        return contribution
    assert value is not None
    return Contribution(
        relevance(contribution.tensor, contribution.form, value), Form.RELEVANCE, False
    )


def _backward_step(scheduled: ScheduledStep, back: Back, account: bool) -> BackwardStep:
    """Keep the backward pass of a step.

    For the ledger nothing is overwritten, as `absorbed` reads it later. Without one, `absorbed` and
    all it holds is dropped.
    """
    if account:
        return BackwardStep(scheduled, Back(back.pull, back.absorbed))
    pull, _, release, in_place = back
    return BackwardStep(scheduled, Back(pull, _not_accounted, release, in_place))


def _not_accounted(v: Tensor) -> Absorbed:
    raise AssertionError("a trace that was not kept for the ledger")
