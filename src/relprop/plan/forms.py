"""The forms in which relevance arrives at the steps of a plan, and leaves them.

Takes a step and what arrives at it. Must not know how a step is computed.
"""

from dataclasses import dataclass, replace

from ..graph.ops import WEIGHTED_SUMS, Principle
from ..rules.backward import Form
from .plan import Step


@dataclass(frozen=True)
class Arrival:
    """How relevance arrives at a value.

    Attributes:
        form: Its form.
        only_positive: It is zero wherever the value is not > 0.
    """

    form: Form
    only_positive: bool


def merged(arrivals: list[Arrival]) -> Arrival:
    """Find the form in which relevance from several consumers can be summed up.

    Relevance per unit becomes relevance by a product with the value; the other direction would
    divide by it, and it may be zero.
    """
    if any(arrival.form is Form.RELEVANCE for arrival in arrivals):
        return Arrival(Form.RELEVANCE, False)
    return Arrival(Form.PER_UNIT, all(arrival.only_positive for arrival in arrivals))


def with_arrival(step: Step, arrival: Arrival) -> Step:
    """Note how relevance arrives at a step, and in which form it leaves."""
    return replace(
        step,
        arriving=arrival.form,
        rectified=arrival.only_positive,
        leaving=_leaving_form(step, arrival.form),
    )


def _leaving_form(step: Step, arriving: Form) -> Form:
    """Find the form of what a step passes on, for the form that arrives."""
    if step.kind in WEIGHTED_SUMS and step.rule:
        return step.rule.definition.gives
    if step.rule is not None:
        passes = step.elementwise and step.rule.definition.receives == "signal"
        return arriving if passes else step.rule.definition.gives
    if step.principle is Principle.LINEAR:
        return arriving if step.elementwise else Form.PER_UNIT
    return arriving


def passed_on(step: Step) -> Arrival:
    """Describe the relevance that a step passes to its inputs."""
    gradient = step.arriving is Form.PER_UNIT
    rectifies = step.operation is not None and step.operation.rectifies and gradient
    copies = step.principle in (Principle.SELECTION, Principle.CHOICE) and step.rectified
    return Arrival(step.leaving or Form.PER_UNIT, bool(rectifies or copies))
