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

from ..plan.plan import Plan, Step
from ..rules.backward import (
    Absorbed,
    Absorbs,
    Back,
    Form,
    Pull,
    Release,
    nothing_to_release,
    relevance,
)
from .accumulate import Part, added_up
from .liveness import Ready, make_ready
from .weight_cache import KeptWeights

# A step and its way back: the fields of `Back`.
Way = tuple[Ready, Pull, Absorbs, Release, Pull | None]


@dataclass
class Trace:
    """One forward pass: its output, and the way back.

    parts    the steps in a few runs of them, in order: each gives their ways, in order, once
    values   what the model holds, and those that the way back needs: where relevance is taken,
             where two forms of it meet, and those that were asked for
    anew     runs the same once more
    """

    output: Tensor
    parts: list[Callable[[], list[Way]]]
    values: dict[str, Any]
    anew: Callable[[], "Trace"]


class Watcher(Protocol):
    """Looks at relevance on its way back, and may change it."""

    def arrived(self, name: str, v: Tensor, form: Form, value: Any) -> Tensor:
        """What arrived at a value whose number was asked for; what it returns goes on."""

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """A step took v, gave these parts to its routes, and absorbed what that function says."""


class Program:
    """A plan with everything looked up that does not change from run to run."""

    def __init__(self, plan: Plan, kin: "Program | None" = None) -> None:
        """The program of a plan; `kin` has steps of the same names, and weights kept for both."""
        self.plan = plan
        self._weights: KeptWeights = kin._weights if kin else KeptWeights(plan)
        self._steps = make_ready(plan, self._weights)

    def run(
        self, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], values: dict[str, Any]
    ) -> Iterator[tuple[Ready, Back | None]]:
        """Run the model step by step into `values`, which the caller may change between steps.

        inputs  label -> tensor                 state  its parameters and buffers, by value name
        """
        fixed = self._given(inputs, state)
        values.update(fixed)
        self._weights.forget_stale(fixed)
        for ready in self._steps:
            values[ready.step.name], back = ready.run(values)
            yield ready, back
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
        keep: Container[str] = (),
        account: bool = False,
        recompute: bool = False,
    ) -> Trace:
        """Run the model, and keep what the way back needs, and the values of the names in `keep`.

        account    keep what the ledger needs as well: every value, and all `absorbed` refers to
        recompute  keep values at a few places alone, and run what is between them on the way back
        """
        values: dict[str, Any] = {}
        length = math.isqrt(len(self._steps)) if recompute else len(self._steps)
        ways: list[Way] = []
        parts: list[Callable[[], list[Way]]] = [lambda: ways]
        if recompute:
            parts = [partial(self._run_again, self._given(inputs, state), 0, 1)]
        for i, (ready, back) in enumerate(self.run(inputs, state, values)):
            if back is not None and not recompute:
                ways.append(_way(ready, back, account))
            if not account:
                _drop(ready.last_used, values, keep)
            if recompute and i % length == 0:
                parts.append(partial(self._run_again, dict(values), i + 1, i + 1 + length))
        output = values[self.plan.graph.output].contiguous()  # as the model's own is
        return Trace(output, parts, values, lambda: self.forward(inputs, state, keep, account))

    def _run_again(self, before: Mapping[str, Any], start: int, stop: int) -> list[Way]:
        """The ways back of some steps, from the values before them."""
        values, ways = dict(before), list[Way]()
        for ready in self._steps[start:stop]:
            values[ready.step.name], back = ready.run(values)
            if back is not None:
                ways.append(_way(ready, back, account=False))
            _drop(ready.last_used, values)
        return ways

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
        last = not again and not torch.is_grad_enabled()
        apart = not (watchers or functional or torch.is_grad_enabled())  # nobody sees a tensor
        waiting, values = defaultdict[str, list[Part]](list), trace.values
        waiting[self.plan.graph.output].append((c, Form.GRADIENT, False))
        for ready, pull, absorbed, release, in_place in self._ways_back(trace, again):
            step, leaving, own = ready.step, ready.step.leaving, apart and ready.own
            v = self._arrived(step.name, waiting.pop(step.name), values, watchers, last)
            if last and not ready.given_out:
                release()
            pulled = in_place(v) if in_place and apart and ready.overwrites else pull(v)
            parts = pulled if isinstance(pulled, tuple) else (pulled,)
            assert leaving is not None
            for route, part in zip(step.routes, parts, strict=True):
                waiting[route].append((part, leaving, own))
            for watcher in watchers:
                watcher.passed(step, absorbed, v, parts)
            del pull, absorbed, release, in_place, v, pulled, parts
        return {
            name: self._at_source(name, waiting[name], values, watchers, last)
            for name in self.taken
        }

    def _ways_back(self, trace: Trace, again: bool) -> Iterator[Way]:
        """Each step's, from the last to the first; it is freed with the step, unless `again`."""
        parts = list(trace.parts) if again else trace.parts
        while parts:
            ways = parts.pop()()
            ways = list(ways) if again else ways
            while ways:
                yield ways.pop()

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
        in_place: bool,
    ) -> Tensor:
        v = self._arrived(name, parts, values, watchers, in_place)
        found = relevance(v, self.plan.forms[name], values[name])
        return found.to(values[name].dtype).contiguous()  # also under autocast

    def _arrived(
        self,
        name: str,
        parts: list[Part],
        values: Mapping[str, Any],
        watchers: Sequence[Watcher],
        in_place: bool,
    ) -> Tensor:
        """The sum of what arrived at a value, in the one form that is expected there."""
        form = self.plan.forms[name]
        total = added_up(parts, form, values.get(name), in_place)
        for watcher in watchers:
            total = watcher.arrived(name, total, form, values.get(name))
        return total


def _drop(names: Sequence[str], values: dict[str, Any], keep: Container[str] = ()) -> None:
    """Free those of these values that are not to be kept."""
    for name in names:
        if name not in keep:
            del values[name]


def _way(ready: Ready, back: Back, account: bool) -> Way:
    """A way back; without what it keeps for the ledger alone, or without what overwrites that."""
    pull, absorbed, release, in_place = back
    if account:
        return ready, pull, absorbed, nothing_to_release, None
    return ready, pull, _not_accounted, release, in_place


def _not_accounted(v: Tensor) -> Absorbed:
    raise AssertionError("a trace that was not kept for the ledger")
