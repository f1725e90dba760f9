"""Diagnosis: which operation made the first number that is not finite, or not the model's.

Runs a program once more, after its result was found wanting.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..plan.plan import Step
from ..rules.backward import Absorbs, Form
from .program import Program


def first_apart(
    program: Program, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], limit: float
) -> str:
    """Words that name the first operation whose result is not what the graph by itself gives.

    limit  on the difference, as a fraction of the result's largest value
    """
    graph = program.plan.graph
    expected = dict(graph.initial_values(inputs, state))
    for node in graph.nodes:
        expected[node.name] = node.run(expected)
    values: dict[str, Any] = {}
    for scheduled, _ in program.run(inputs, state, values):
        step = scheduled.step
        got, want = values[step.name], expected[step.name]
        compared = isinstance(got, Tensor) and got.is_floating_point() and got.numel()
        if compared and not bool((got - want).abs().amax() <= limit * want.abs().amax()):
            return f"; first beyond {limit:.0e} at {step.node.where}"
    return ""


class FirstNotFinite:
    """A watcher that notes the first operation that gave relevance that is not finite."""

    def __init__(self) -> None:
        self.found = ""

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """Nothing to note."""
        return v

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Note the step if what it gave is not finite."""
        if not self.found and not all(bool(part.isfinite().all()) for part in parts):
            rule = f", by the rule {step.rule}" if step.rule else ""
            self.found = f"; the first such number came from {step.node.where}{rule}"
