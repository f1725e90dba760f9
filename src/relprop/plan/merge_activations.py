"""Merges a weighted sum and the activation after it into one step of the plan.

Takes the steps, gives fewer. Must not know how a step is computed.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..graph.ops import WEIGHTED_SUMS, Principle
from ..rules.backward import Form
from .plan import Step


def merge_activations(steps: list[Step]) -> list[Step]:
    """Merge a weighted sum and the activation after it: one scaling then serves for both."""
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.reads:
            readers.setdefault(name, []).append(step)
    places = {step.name: place for place, step in enumerate(steps)}
    after = {
        step.name: _activation_after(step, readers.get(step.name, []), places) for step in steps
    }
    merged = {activation.name for activation in after.values() if activation}
    return [_with_activation(s, after[s.name]) for s in steps if s.name not in merged]


def _with_activation(step: Step, after: Step | None) -> Step:
    return replace(step, activation=after.node, arriving=after.arriving) if after else step


def _activation_after(step: Step, readers: list[Step], places: Mapping[str, int]) -> Step | None:
    """Return the activation that can run with a weighted sum: its only reader, with f(0) = 0.

    Args:
        step: The weighted sum.
        readers: The steps that read its result.
        places: Which step computes each value, in order of running.
    """
    # A custom rule, made by relprop.rule, takes the weighted sum without its activation.
    weighted = step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None
    if not weighted or len(readers) != 1:
        return None
    after = readers[0]
    passes = after.principle is Principle.ACTIVATION and after.routes == (step.name,)
    keeps_zero = after.operation is not None and after.operation.keeps_zero
    # Its slopes, say, may be computed after the weighted sum, which would run too early for them.
    others = [name for name in after.reads if name != step.name]
    known = all(places.get(name, -1) < places[step.name] for name in others)
    return after if passes and keeps_zero and known and after.arriving is Form.PER_UNIT else None
