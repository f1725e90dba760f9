"""The two sides of a weighted sum: contributions that push its output up, and down.

s_up, s_down  what is carried back along the weights of either side
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from .backward import Absorbed, Back, Form
from .layer import STABILISER, WeightedSum, Weights
from .scaling import Factor, added

Split = Callable[..., tuple[Tensor, Tensor | None]]  # of v, and whether its memory may be taken


@dataclass(frozen=True)
class Sides:
    """Weights for contributions that push an output up, and for those that push it down.

    Inputs >= 0 meet `up` on the way to z_up; inputs < 0 meet `down`. Made when they are met.
    """

    weights: Weights
    exchanged: bool = False

    @property
    def up(self) -> Weights:
        """W^+, for contributions that push up; W^-, if they are exchanged."""
        return self.weights.negative if self.exchanged else self.weights.positive

    @property
    def down(self) -> Weights:
        """The other one."""
        return self.weights.positive if self.exchanged else self.weights.negative

    @property
    def mirrored(self) -> "Sides":
        """The two exchanged."""
        return replace(self, exchanged=not self.exchanged)

    def forward(self, step: WeightedSum, *, shifted: bool = True) -> Tensor:
        """x^+ W_up + x^- W_down + b_up: the contributions that push up.

        shifted  with STABILISER added
        """
        x, run = step.x, step.stabilised if shifted else step.forward
        if step.nonnegative:
            return run(x, self.up)
        z = run(x.clamp(min=0), self.up)
        return z.add_(step.map.forward(x.clamp(max=0), self.down.raw, None))

    def back_up(self, step: WeightedSum, share: Factor) -> Back:
        """The way back through `forward` alone."""
        return self.back(
            step, lambda v, in_place=False: (share(v, in_place), None), share.release, both=False
        )

    def back(
        self, step: WeightedSum, split: Split, release: Callable[[], None], *, both: bool = True
    ) -> Back:
        """The way back through `forward` for s_up, and through its mirror image for s_down.

        both  whether `split` gives s_down at all
        """
        if step.nonnegative:
            pull = self._to_positive(step, split, both)
        else:
            pull = self._to_any(step, split)
        relevance = step.arriving is Form.RELEVANCE

        def absorbed(v: Tensor) -> Absorbed:
            s_up, s_down = split(v)
            up, down = step.bias(self.up), step.bias(self.down)
            s_down = torch.zeros_like(s_up) if s_down is None else s_down
            stabiliser = (s_up - s_down) * STABILISER  # both denominators move away from zero
            if relevance:
                stabiliser = stabiliser + v * ((s_up == 0) & (s_down == 0))  # what `split` dropped
            return {"bias": s_up * up + s_down * down, "stabiliser": stabiliser}

        return Back(pull, absorbed, release, partial(pull, in_place=True))

    def _to_positive(self, step: WeightedSum, split: Split, both: bool) -> Callable[..., Tensor]:
        """Back to inputs >= 0."""
        by_up = step.carry(self.up)
        if not both:
            return lambda v, in_place=False: by_up(split(v, in_place)[0])
        by_down = step.carry(self.down)

        def pull(v: Tensor, in_place: bool = False) -> Tensor:
            s_up, s_down = split(v, in_place)
            assert s_down is not None
            return added(by_up(s_up), by_down(s_down))

        return pull

    def _to_any(self, step: WeightedSum, split: Split) -> Callable[..., Tensor]:
        """Back to inputs of either sign.

        W and |W| would do in two passes, as for gamma. But where an output has contributions of one
        sign alone, the other side's s is without bound, and sums and differences would cancel.
        """
        by_up, by_down = step.carry(self.up), step.carry(self.down)
        positive = step.x.sign().clamp_(min=0)

        def pull(v: Tensor, in_place: bool = False) -> Tensor:
            s_up, s_down = split(v, in_place)
            above, below = by_up(s_up), by_down(s_up)
            if s_down is not None:
                above, below = added(above, by_down(s_down)), added(below, by_up(s_down))
            return torch.lerp(below, above, positive.to(below.dtype))  # one or the other

        return pull
