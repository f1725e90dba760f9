"""Observers look at relevance during the backward pass, and may change it.

Takes values and relevance from `Program.backward`. Must not know what an observer does with them.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..plan.plan import Step
from ..rules.backward import Absorbs, Form


class Observer:
    """Base class of observers: changes nothing and records nothing."""

    def arrived(self, name: str, v: Tensor, form: Form, value: Any) -> Tensor:
        """Return what the backward pass continues with, for the `v` that arrived at a value.

        Args:
            name: Name of the value.
            v: What arrived: relevance, or relevance per unit of the value, by `form`.
            form: Form of `v`.
            value: The value itself, of the shape of `v`; None unless the forward pass stored it.
        """
        return v

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Take note of a step that the backward pass has just left.

        Args:
            step: The step.
            absorbed: Maps `v` to the relevance that the step absorbed, by cause.
            v: What arrived at the step's result.
            parts: What the step passed to each of its routes, in their order.
        """
