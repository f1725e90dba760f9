"""Observers look at relevance during the backward pass. They do not change it.

Takes values and relevance from `Program.backward`. Must not know what an observer does with them.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..plan.plan import Step
from ..rules.backward import Absorbs, Form


class Observer:
    """Base class of observers: records nothing."""

    def arrived(self, name: str, v: Tensor, form: Form, value: Any) -> None:
        """Take note of the `v` that arrived at a value, and that the backward pass continues with.

        Under conditions this may happen several times at a value, for parts of what arrives.

        Args:
            name: Name of the value.
            v: What arrived: relevance, or relevance per unit of the value, by `form`.
            form: Form of `v`.
            value: The value itself, of the shape of `v`; None unless the forward pass stored it.
        """

    def masked(self, name: str, before: Tensor, after: Tensor, form: Form) -> None:
        """Take note of a condition on a value.

        Args:
            name: Name of the value.
            before: What arrived.
            after: What the backward pass continues with, of the same form.
            form: Their form.
        """

    def passed(
        self,
        step: Step,
        absorbed: Absorbs,
        v: Tensor,
        parts: Sequence[Tensor],
        kept: Sequence[bool],
    ) -> None:
        """Take note of a step that the backward pass has just left.

        Args:
            step: The step.
            absorbed: Maps `v` to the relevance that the step absorbed, by cause.
            v: What arrived at the step's result.
            parts: What the step gives to each of its routes, in their order.
            kept: Whether the backward pass continues with each of them; conditions leave some out.
        """
