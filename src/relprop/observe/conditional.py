"""The backward pass under conditions: relevance through named modules and channels alone.

Relevance that has passed different modules is carried separately, since what one part of it may
take, such as a residual connection further down, may be a way around a module for another.
Takes a program that was run, masks and paths. Must not know how they were chosen.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..plan.plan import Step
from ..program.observer import Observer
from ..program.program import Contribution, Program, Trace, reversed_steps
from ..rules.backward import Back, Form, relevance
from .paths import NONE, Passed, Paths


@dataclass(frozen=True)
class Conditions:
    """The conditions of an explanation, on a batch.

    Attributes:
        masks: Value name -> 1 where relevance passes and 0 where not; broadcasts to the value.
        paths: The paths that are kept.
    """

    masks: Mapping[str, Tensor]
    paths: Paths


def backward_under_conditions(
    program: Program,
    trace: Trace,
    c: Tensor,
    conditions: Conditions,
    observers: Sequence[Observer] = (),
    again: bool = False,
) -> dict[str, Tensor]:
    """Carry relevance from the output to each source, as `Program.backward` does.

    Args:
        program: The program.
        trace: The forward pass.
        c: Initial relevance per unit of output, of the output's shape.
        conditions: What relevance must pass.
        observers: Look at relevance on its way.
        again: The trace serves another backward pass; if not, it is freed on the way.

    Returns:
        Relevance by source; zero at a source that all kept paths avoid.
    """
    run = _Pass(program, trace, conditions, observers)
    run.give(program.plan.graph.scores, NONE, Contribution(c, Form.PER_UNIT, False))
    for scheduled, back in reversed_steps(trace, again):
        for passed, v in run.take(scheduled.step.name):
            run.pass_on(scheduled.step, back, passed, v)
    return {name: run.relevance_at(name) for name in program.sources}


class _Pass:
    """What waits at each value, by the modules that it has passed."""

    def __init__(
        self,
        program: Program,
        trace: Trace,
        conditions: Conditions,
        observers: Sequence[Observer],
    ) -> None:
        self._program, self._values = program, trace.values
        self._masks, self._paths = conditions.masks, conditions.paths
        self._observers = observers
        self._waiting = defaultdict[str, dict[Passed, list[Contribution]]](dict)

    def give(self, name: str, before: Passed, contribution: Contribution) -> None:
        """Give something to a value, which has passed some modules before."""
        passed = self._paths.passed_at(name, before)
        self._waiting[name].setdefault(passed, []).append(contribution)

    def take(self, name: str) -> Iterator[tuple[Passed, Tensor]]:
        """Yield what continues from a value, by the modules that it has passed."""
        form, value = self._program.plan.forms.get(name), self._values.get(name)
        for passed, contributions in self._waiting.pop(name, {}).items():
            assert form is not None
            v = self._program.arrive(name, contributions, self._values)
            if name in self._masks:
                before, v = v, v * self._masks[name].to(v)
                for observer in self._observers:
                    observer.masked(name, before, v, form)
            for observer in self._observers:
                observer.arrived(name, v, form, value)
            yield passed, v

    def pass_on(self, step: Step, back: Back, passed: Passed, v: Tensor) -> None:
        """Carry relevance through a step, and give it to the inputs on kept paths."""
        pulled = back.pull(v)
        parts = pulled if isinstance(pulled, tuple) else (pulled,)
        kept = [self._paths.lead_on(route, passed) for route in step.routes]
        assert step.leaving is not None
        for route, part, keep in zip(step.routes, parts, kept, strict=True):
            if keep:
                self.give(route, passed, Contribution(part, step.leaving, False))
        for observer in self._observers:
            observer.passed(step, back.absorbed, v, parts, kept)

    def relevance_at(self, source: str) -> Tensor:
        """Return all relevance that has reached a source."""
        value, form = self._values[source], self._program.plan.forms[source]
        total = torch.zeros_like(value)
        for _, v in self.take(source):
            total = total + relevance(v, form, value).to(value.dtype)
        return total.contiguous()
