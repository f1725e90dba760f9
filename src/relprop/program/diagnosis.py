"""Finds the operation that gave the first nonfinite relevance, or the first wrong value.

Runs a program once more, after its result was found wanting.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..plan.plan import Step
from ..rules.backward import Absorbs
from .observer import Observer
from .program import Program


def first_difference(
    program: Program, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor], limit: float
) -> str:
    """Describe the first operation whose value differs from that of the graph; "" if none does.

    Args:
        program: The program that is compared with its plan's graph.
        inputs: Input tensors by label.
        state: Parameters and buffers by value name.
        limit: Largest difference allowed, as a fraction of the value's largest entry.
    """
    graph = program.plan.graph
    expected = dict(graph.initial_values(inputs, state))
    for node in graph.nodes:
        expected[node.name] = node.run(expected)
    values = program.forward(inputs, state, account=True).values  # accounting keeps every value
    for step in program.plan.steps:
        got, want = values[step.name], expected[step.name]
        compared = isinstance(got, Tensor) and got.is_floating_point() and got.numel()
        if compared and not bool((got - want).abs().amax() <= limit * want.abs().amax()):
            return f"; first beyond {limit:.0e} at {step.node.where}"
    return ""


class FirstNonfiniteObserver(Observer):
    """Describe the first operation that gave relevance that is not finite.

    Attributes:
        message: The description; "" as long as there is none.
    """

    def __init__(self) -> None:
        self.message = ""

    def passed(
        self,
        step: Step,
        absorbed: Absorbs,
        v: Tensor,
        parts: Sequence[Tensor],
        kept: Sequence[bool],
    ) -> None:
        """Describe the step if what it gave is not finite."""
        if not self.message and not all(bool(part.isfinite().all()) for part in parts):
            rule = f", by the rule {step.rule}" if step.rule else ""
            self.message = f"; the first such number came from {step.node.where}{rule}"
