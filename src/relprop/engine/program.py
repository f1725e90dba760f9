"""The program: a plan made ready to run: forward, then relevance back to where it is taken.

Each step runs its operation and returns its way back, which is dropped as soon as it was walked.
Plain torch operations; the model is not touched.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from .forms import Absorbed, Back, Form, relevance
from .kept import KeptWeights
from .kinds import LAYERS, WEIGHTED_SUMS
from .lowering import Run, lower
from .parts import Part, added_up
from .plan import Plan, Step

Backs = list[tuple[Step, Back]]


@dataclass
class Trace:
    """One forward pass: its output, and the way back.

    parts    the steps in a few runs of them, in order: each gives their ways back, in order, once
    values   what the model holds, and those that the way back needs: where relevance is taken,
             where two forms of it meet, and those that were asked for
    anew     runs the same once more
    """

    output: Tensor
    parts: list[Callable[[], "Backs"]]
    values: dict[str, Any]
    anew: Callable[[], "Trace"]


class Watcher(Protocol):
    """Looks at relevance on its way back, and may change it."""

    def arrived(self, name: str, v: Tensor, form: Form, value: Any) -> Tensor:
        """What arrived at a value whose number was asked for; what it returns goes on."""

    def passed(self, step: Step, back: Back, v: Tensor, parts: Sequence[Tensor]) -> None:
        """A step took v and gave these parts to its routes."""


def _nothing(name: str) -> bool:
    return False


class Program:
    """A plan with everything looked up that does not change from run to run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._weights = KeptWeights(plan)
        self._steps: list[tuple[Step, Run]] = [(s, lower(s, self._weights)) for s in plan.steps]
        self._last = _last_uses(plan, _needed_on_the_way_back(plan))
        self._given_out = _given_out(plan)
        self._in_place = _in_place(plan)
        self._own = frozenset(step.name for step in plan.steps if _gives_its_own(step))

    def run(
        self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], values: dict[str, Any]
    ) -> Iterator[tuple[Step, Back | None]]:
        """Run the model step by step into `values`, which the caller may change between steps.

        inputs  label -> tensor                 state  its parameters and buffers, by value name
        """
        fixed = self._given(inputs, state)
        values.update(fixed)
        self._weights.forget_stale(fixed)
        for step, run in self._steps:
            values[step.name], back = run(values)
            yield step, back
        self._weights.note(fixed)

    def _given(
        self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> Mapping[str, Any]:
        graph = self.plan.graph
        named = {name: inputs[label] for label, name in graph.inputs.items()}
        return {**state, **graph.constants, **named}

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        keep: Callable[[str], bool] = _nothing,
        account: bool = False,
        recompute: bool = False,
    ) -> Trace:
        """Run the model, and keep what the way back needs, and the values that `keep` names.

        account    keep what the ledger needs as well: every value, and all `absorbed` refers to
        recompute  keep values at a few places alone, and run what is between them on the way back
        """
        values: dict[str, Any] = {}
        length = math.isqrt(len(self._steps)) if recompute else len(self._steps)
        backs: Backs = []
        parts: list[Callable[[], Backs]] = [lambda: backs]
        if recompute:
            parts = [partial(self._run_again, self._given(inputs, state), 0, 1)]
        for i, (step, back) in enumerate(self.run(inputs, state, values)):
            if back is not None and not recompute:
                backs.append((step, Back(back.pull, back.absorbed) if account else _slim(back)))
            if not account:
                self._drop_used(step, values, keep)
            if recompute and i % length == 0:
                parts.append(partial(self._run_again, dict(values), i + 1, i + 1 + length))
        output = values[self.plan.graph.output].contiguous()  # as the model's own is
        return Trace(output, parts, values, lambda: self.forward(inputs, state, keep, account))

    def _drop_used(self, step: Step, values: dict[str, Any], keep: Callable[[str], bool]) -> None:
        for name in self._last[step.name]:
            if not keep(name):
                del values[name]

    def _run_again(self, before: Mapping[str, Any], start: int, stop: int) -> Backs:
        """The ways back of some steps, from the values before them."""
        values, backs = dict(before), list[tuple[Step, Back]]()
        for step, run in self._steps[start:stop]:
            values[step.name], back = run(values)
            if back is not None:
                backs.append((step, _slim(back)))
            self._drop_used(step, values, _nothing)
        return backs

    def backward(
        self,
        trace: Trace,
        c: Tensor,
        watchers: Sequence[Watcher] = (),
        again: bool = False,
        functional: bool = False,
    ) -> dict[str, Tensor]:
        """Relevance at each source, for c, the relevance per unit of the output, of its shape.

        again       the trace will be walked once more; if not, it is freed on the way
        functional  nothing that arrives is written into: for torch.func.vmap and torch.compile
        """
        apart = not (watchers or functional or torch.is_grad_enabled())  # nobody sees a tensor
        waiting: dict[str, list[Part]] = defaultdict(list)
        waiting[self.plan.graph.output].append(Part(c, Form.GRADIENT, own=False))
        for step, back in self._ways_back(trace, again):
            v = self._arrived(step.name, waiting.pop(step.name), trace.values, watchers, again)
            if not again and not torch.is_grad_enabled() and step.name not in self._given_out:
                back.release()
            in_place = back.in_place if apart and step.name in self._in_place else None
            pulled, leaving = (in_place or back.pull)(v), step.leaving
            parts = pulled if isinstance(pulled, tuple) else (pulled,)
            assert leaving is not None
            own = apart and step.name in self._own
            for name, part in zip(step.routes, parts, strict=True):
                waiting[name].append(Part(part, leaving, own))
            for watcher in watchers:
                watcher.passed(step, back, v, parts)
            del back, v, pulled, parts
        return {
            name: self._at_source(name, waiting[name], trace.values, watchers, again)
            for name in self.taken
        }

    def _ways_back(self, trace: Trace, again: bool) -> Iterator[tuple[Step, Back]]:
        """Each step's, from the last to the first; it is freed with the step, unless `again`."""
        parts = list(trace.parts) if again else trace.parts
        while parts:
            backs = parts.pop()()
            backs = list(backs) if again else backs
            while backs:
                yield backs.pop()

    @property
    def taken(self) -> Sequence[str]:
        """Names of the values at which relevance is taken."""
        return [name for name in self.plan.sources if name in self.plan.forms]

    def _at_source(
        self,
        name: str,
        parts: list[Part],
        values: Mapping[str, Any],
        watchers: Sequence[Watcher],
        again: bool,
    ) -> Tensor:
        v = self._arrived(name, parts, values, watchers, again)
        found = relevance(v, self.plan.forms[name], values[name])
        return found.to(values[name].dtype).contiguous()  # also under autocast

    def _arrived(
        self,
        name: str,
        parts: list[Part],
        values: Mapping[str, Any],
        watchers: Sequence[Watcher],
        again: bool,
    ) -> Tensor:
        """The sum of what arrived at a value, in the one form that is expected there."""
        form = self.plan.forms[name]
        in_place = not again and not torch.is_grad_enabled()
        total = added_up(parts, form, values.get(name), in_place)
        for watcher in watchers:
            total = watcher.arrived(name, total, form, values.get(name))
        return total


def _slim(back: Back) -> Back:
    """A way back that keeps nothing for the ledger."""
    return Back(back.pull, _not_accounted, back.release, back.in_place)


def _not_accounted(v: Tensor) -> Absorbed:
    raise AssertionError("a trace that was not kept for the ledger")


def _given_out(plan: Plan) -> frozenset[str]:
    """Values that the output may share memory with: those before it, up to a weighted sum."""
    found = {plan.graph.output}
    for step in reversed(plan.steps):
        if step.name in found and step.kind not in WEIGHTED_SUMS:
            found.update(step.reads)
    return frozenset(found)


def _in_place(plan: Plan) -> frozenset[str]:
    """Steps whose way back may write into what arrives, or twice into what leaves.

    Weighted sums that take what another one gives, or a pool; and such pools. Nobody else has it.
    """
    givers: dict[str, list[Step]] = defaultdict(list)
    for step in plan.steps:
        for name in step.routes:
            givers[name].append(step)
    found = set()
    for step in plan.steps:
        if _is_known_sum(step) and len(givers[step.name]) == 1:  # the output's is who asks
            (giver,) = givers[step.name]
            found |= {step.name} if _gives_its_own(giver) else set()
            found |= {step.name, giver.name} if giver.node.operation == "max_pool2d" else set()
    return frozenset(found)


def _gives_its_own(step: Step) -> bool:
    """Whether what leaves is a tensor that nobody else has."""
    return _is_known_sum(step) and step.kind in LAYERS and step.leaving is Form.GRADIENT


def _is_known_sum(step: Step) -> bool:
    """Whether it is a weighted sum by a rule of ours, which keeps nothing that arrives."""
    return step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None


def _needed_on_the_way_back(plan: Plan) -> frozenset[str]:
    """Values where relevance is taken, or at which it arrives in both forms."""
    forms: dict[str, set[Form]] = defaultdict(set)
    forms[plan.graph.output].add(Form.GRADIENT)
    for step in plan.steps:
        for name in step.routes:
            forms[name].add(step.leaving or Form.GRADIENT)
    return frozenset(plan.sources) | {name for name, found in forms.items() if len(found) > 1}


def _last_uses(plan: Plan, kept: Container[str]) -> dict[str, list[str]]:
    """Step -> the values that no later step uses, but for what is kept and what the model holds."""
    last: dict[str, str] = {}
    for step in plan.steps:
        last.update(dict.fromkeys((*step.reads, step.name), step.name))
    for name in (*plan.graph.state, *plan.graph.constants, plan.graph.output):
        last.pop(name, None)
    uses: dict[str, list[str]] = {step.name: [] for step in plan.steps}
    for name, step_name in last.items():
        if name not in kept:
            uses[step_name].append(name)
    return uses
