"""The program: a plan made ready to run: forward, then relevance back to the input.

Each step runs its operation and returns what it needs for the way back as one function, `pull`,
which is dropped as soon as it was called. Plain torch operations; the model is not touched.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .capture import Node, substitute
from .forms import Form, divide, stabilise
from .layers import weighted_sum
from .operations import Principle
from .plan import Plan, Step
from .rules import STABILISER

Pull = Callable[[Tensor], tuple[Tensor, ...]]
Values = dict[str, Any]
Run = Callable[[Values], tuple[Any, Pull | None]]


@dataclass
class Trace:
    """One forward pass: its output, and the way back, which can be walked once.

    pulls    of each step that relevance passes, in the order in which they ran
    values   those that the way back needs: where two forms of relevance meet
    """

    output: Tensor
    input: Tensor
    pulls: list[tuple[Step, Pull]]
    values: Values


class Program:
    """A plan with everything looked up that does not change from run to run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._steps = [(step, _lower(step, plan)) for step in plan.steps]
        self._arriving = {s.name: s.arriving for s in plan.steps} | {
            plan.graph.input: plan.input_form
        }
        self._mixed = _where_forms_meet(plan)
        self._last = _last_uses(plan)

    def forward(self, x: Tensor, state: Mapping[str, Tensor]) -> Trace:
        """Run the model on x (batch, *features); `state` holds its parameters and buffers."""
        graph = self.plan.graph
        values: Values = {**state, **graph.constants, graph.input: x}
        trace = Trace(x, x, [], {})
        for step, run in self._steps:
            values[step.name], pull = run(values)
            if pull is not None:
                trace.pulls.append((step, pull))
            for name in self._last.get(step.name, ()):
                value = values.pop(name)
                if name in self._mixed:
                    trace.values[name] = value
        trace.output = values[graph.output]
        return trace

    def backward(self, trace: Trace, c: Tensor) -> Tensor:
        """Relevance of the input, for c (batch, classes), the relevance per unit of output."""
        waiting: dict[str, list[tuple[Tensor, Form]]] = defaultdict(list)
        waiting[self.plan.graph.output].append((c, Form.GRADIENT))
        while trace.pulls:
            step, pull = trace.pulls.pop()
            arrived = self._gather(step.name, waiting.pop(step.name), trace.values)
            inputs = [name for name in step.node.inputs if name in self.plan.dependent]
            assert step.leaving is not None
            for name, tensor in zip(inputs, pull(arrived), strict=True):
                waiting[name].append((tensor, step.leaving))
            del pull, arrived
        name = self.plan.graph.input
        result = self._gather(name, waiting[name], {name: trace.input})
        gradient = self._arriving[name] is Form.GRADIENT
        return trace.input * result if gradient else result.contiguous()

    def _gather(self, name: str, parts: list[tuple[Tensor, Form]], values: Values) -> Tensor:
        """The sum of what arrived at a value, in the one form that its step expects."""
        mixed = self._arriving[name] is Form.RELEVANCE
        tensors = [values[name] * t if mixed and form is Form.GRADIENT else t for t, form in parts]
        total = tensors[0]
        for tensor in tensors[1:]:
            total = total + tensor
        return total


def _where_forms_meet(plan: Plan) -> frozenset[str]:
    """Values at which relevance arrives in both forms, so that their own value is needed."""
    forms: dict[str, set[Form]] = defaultdict(set)
    forms[plan.graph.output].add(Form.GRADIENT)
    for step in plan.steps:
        for name in step.node.inputs if step.leaving else ():
            forms[name].add(step.leaving)  # type: ignore[arg-type]
    return frozenset(name for name, found in forms.items() if len(found) > 1)


def _last_uses(plan: Plan) -> dict[str, list[str]]:
    """Step -> the values that no later step uses."""
    last: dict[str, str] = {}
    for step in plan.steps:
        last.update(dict.fromkeys((*_read_by(step), step.name), step.name))
    last.pop(plan.graph.output, None)
    uses: dict[str, list[str]] = defaultdict(list)
    for name, step_name in last.items():
        uses[step_name].append(name)
    return uses


def _read_by(step: Step) -> tuple[str, ...]:
    return step.node.inputs + (step.batch_norm.inputs[1:] if step.batch_norm else ())


def _lower(step: Step, plan: Plan) -> Run:
    """The function that runs a step and returns its value and its way back."""
    if step.arriving is None:
        return lambda values: (_call(step.node, values), None)
    if step.principle is Principle.WEIGHTED_SUM:
        return _lower_weighted_sum(step)
    if step.principle is Principle.ACTIVATION:
        return _lower_activation(step)
    return _lower_adjoint(step, [name for name in step.node.inputs if name in plan.dependent])


def _call(node: Node, values: Mapping[str, Any]) -> Any:
    return node.target(*substitute(node.args, values), **substitute(dict(node.kwargs), values))


def _lower_weighted_sum(step: Step) -> Run:
    assert step.rule is not None
    rule, parameters = step.rule.definition.function, dict(step.rule.parameters)

    def run(values: Values) -> tuple[Tensor, Pull]:
        layer = weighted_sum(step, values)
        pull = rule(layer, **parameters)
        return layer.z, lambda v: (pull(v),)

    return run


def _lower_activation(step: Step) -> Run:
    """Relevance passes unchanged; per unit of activation that is a factor f(x) / x."""
    assert step.operation is not None
    passes = step.arriving is Form.RELEVANCE
    is_relu, keeps_zero = step.node.operation == "relu", step.operation.keeps_zero

    def run(values: Values) -> tuple[Tensor, Pull]:
        x, y = values[step.node.inputs[0]], _call(step.node, values)
        if passes:
            return y, lambda r: (r,)
        if not keeps_zero:
            return y, lambda c: (c * y,)
        if is_relu:
            return y, lambda c: (torch.ops.aten.threshold_backward(c, x, 0),)
        return y, lambda c: (c * divide(y, x),)

    return run


def _lower_adjoint(step: Step, inputs: list[str]) -> Run:
    """Selections and combinations: back through the operation's own derivative.

    Relevance itself passes an elementwise operation unchanged, as it passes an activation: divided
    by the values there, it would be lost or without bound where these are near zero.
    """
    passes = step.principle is Principle.COMBINATION and step.leaving is Form.RELEVANCE
    to_gradient = step.leaving is Form.GRADIENT and step.arriving is Form.RELEVANCE

    def run(values: Values) -> tuple[Tensor, Pull]:
        with torch.enable_grad():
            leaves = [values[name].detach().requires_grad_() for name in inputs]
            y = _call(step.node, {**values, **dict(zip(inputs, leaves, strict=True))})

        def pull(v: Tensor) -> tuple[Tensor, ...]:
            if passes:
                return (v.sum_to_size(leaves[0].shape),)
            c = v / stabilise(y.detach(), STABILISER) if to_gradient else v
            return torch.autograd.grad(y, leaves, c)

        return y.detach(), pull

    return run
