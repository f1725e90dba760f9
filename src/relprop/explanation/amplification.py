"""Warns of amplified relevance, and finds the operation that raised it most.

Relevance of either sign cancels, so that a sum near the score says nothing of its size. Where the
sum of |relevance| is many times the score, the map says little of the model: small differences of
the input turn it round.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import AmplificationWarning
from ..plan.plan import Step
from ..program.observer import Observer
from ..rules.backward import Absorbs, Form, relevance
from .backward import ForwardResult


def warn_of_amplification(
    forward: ForwardResult, initial: Sequence[Tensor], amplification: Tensor
) -> None:
    """Warn once for each program, and name the operation that raised relevance most.

    Args:
        forward: The program that was run.
        initial: Initial relevance per unit of output, for each target.
        amplification: That of each sample, (batch,) or (batch, targets).
    """
    if "amplification" in forward.built.warned:
        return
    forward.built.warned.add("amplification")
    by_target = amplification.reshape(len(amplification), -1).amax(0)
    worst = int(by_target.argmax())
    with torch.no_grad():
        trace = forward.program.forward(forward.inputs.tensors, forward.state, account=True)
        finder = _LargestRise(trace.values)
        forward.program.backward(trace, initial[worst], [finder])
    warnings.warn(
        f"the sum of |relevance| is {float(by_target[worst]):,.0f} times the score; {finder.where} "
        f"raised it most, {finder.rise:,.3g} times. Another rule there may lower it, or a larger "
        "stabiliser: explainer.plan(x) shows the rules",
        AmplificationWarning,
        stacklevel=2,
    )


class _LargestRise(Observer):
    """Find the step that passes on the most relevance for what arrives at it.

    Attributes:
        values: Value name -> value, for all values of the forward pass.
        where: The step, as messages name it.
        rise: How many times the |relevance| that arrived it passed on.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.where, self.rise = "", 0.0

    def passed(
        self,
        step: Step,
        absorbed: Absorbs,
        v: Tensor,
        parts: Sequence[Tensor],
        kept: Sequence[bool],
    ) -> None:
        """Compare the sums of |relevance| at the step's result and at its inputs."""
        assert step.arriving is not None
        assert step.leaving is not None
        arrived = self._total(step.name, v, step.arriving)
        pairs = zip(step.routes, parts, strict=True)
        rise = sum(self._total(name, part, step.leaving) for name, part in pairs) / arrived
        if rise > self.rise:
            self.where, self.rise = step.node.where, rise

    def _total(self, name: str, v: Tensor, form: Form) -> float:
        return max(float(relevance(v, form, self.values[name]).abs().double().sum()), 1e-300)
