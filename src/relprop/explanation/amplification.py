"""Measures how many times the score relevance is; warns, and finds what raised it most.

Relevance of either sign cancels, so that a sum near the score says nothing of its size. Where the
sum of |relevance| is many times the score, the map says little of the model: small differences of
the input turn it round. Where it is next to nothing, what is drawn of it is rounding.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import AmplificationWarning, VanishingWarning
from ..plan.plan import Step
from ..program.observer import Observer
from ..rules.backward import Absorbs, Form, relevance
from .backward import ForwardResult
from .built_program import BuiltProgram

if TYPE_CHECKING:
    from .result import Explanation

LIMIT = 1000.0  # gradient x input of deep networks gives hundreds
VANISHED = 1e-6  # near the precision of float32


def measure_amplification(
    relevances: Mapping[str, Tensor], score_size: Tensor, several: bool
) -> Tensor:
    """Divide the sum of |relevance| by the size of the score, (batch,) or (batch, targets).

    Of a score of 0, such as that of parts that cancel, relevance is infinitely many times as large;
    relevance of 0 is none.
    """
    with torch.no_grad():
        # abs and sum take a quarter of the time of torch's vector norms.
        rows = [_by_row(r.abs(), several) for r in relevances.values()]
        sums = [row.sum(-1, dtype=score_size.dtype) for row in rows]
        total = sum(sums[1:], sums[0])
        return (total / score_size).where(total != 0, 0)


def _by_row(values: Tensor, several: bool) -> Tensor:
    """Flatten the dimensions of one sample, or of one sample and target."""
    rows = 1 + several
    return values if values.ndim == rows + 1 else values.reshape(*values.shape[:rows], -1)


def is_amplified(explanation: "Explanation") -> bool:
    """Tell whether the relevance of any sample is beyond the limit."""
    return bool((_comparable(explanation) > LIMIT).any())


def _comparable(explanation: "Explanation") -> Tensor:
    """Return the amplification, as 0 where the score is 0: then it says nothing of the map.

    A net of one unit scores 0 where what speaks for it is as large as what speaks against it.
    """
    return explanation.amplification.where(explanation.score_size != 0, 0)


def has_vanished(amplification: Tensor) -> bool:
    """Tell whether next to no relevance arrives at any sample."""
    return bool((amplification < VANISHED).all())


def warn_if_vanished(built: BuiltProgram, explanation: "Explanation") -> None:
    """Warn once for each program if next to no relevance arrives at any sample of a batch."""
    if "vanished" in built.warned or not has_vanished(explanation.amplification):
        return
    zeros = not any(bool(x.any()) for x in explanation.inputs.values())
    if zeros or not explanation.score_size.all():
        return
    built.warned.add("vanished")
    warnings.warn(
        "the sum of |relevance| is less than a millionth of the score: the output hardly depends "
        "on the input, or what carries it takes no part in it. explainer(x, ledger=True).ledger "
        "shows what absorbed it",
        VanishingWarning,
        stacklevel=2,
    )


def warn_if_amplified(
    forward: ForwardResult, initial: Sequence[Tensor], explanation: "Explanation"
) -> None:
    """Warn once for each program, and name the operation that raised relevance most.

    Args:
        forward: The program that was run.
        initial: Initial relevance per unit of output, for each target.
        explanation: What the program gave.
    """
    if "amplification" in forward.built.warned or not is_amplified(explanation):
        return
    forward.built.warned.add("amplification")
    amplification = _comparable(explanation)
    by_target = amplification.reshape(len(amplification), -1).amax(0)
    worst = int(by_target.argmax())
    with torch.no_grad():
        trace = forward.program.forward(forward.inputs.tensors, forward.state, account=True)
        finder = _LargestRise(trace.values)
        forward.program.backward(trace, initial[worst], [finder])
    warnings.warn(
        f"the sum of |relevance| is {_number(float(by_target[worst]))} times the score; "
        f"{finder.where} raised it most, {_number(finder.rise)} times. Another rule there may "
        "lower it, or a larger stabiliser: explainer.plan(x) shows the rules",
        AmplificationWarning,
        stacklevel=2,
    )


def _number(value: float) -> str:
    """Write a number with three digits, and whole thousands below a million."""
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


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
