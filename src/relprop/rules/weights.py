"""The weights of a layer, and the weights that rules derive from them, each computed once.

Takes the layer's own tensors. Must not know operations, rules or relevance.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..support.recent_items import RecentItems

T = TypeVar("T")
STABILISER = 1e-6  # keeps denominators of shares away from zero
MOST_SIZES = 8  # of inputs; each may have a tensor as large as a layer's result for one sample


@dataclass(frozen=True)
class Scale:
    """The factor of each output of a layer that a batch norm in eval mode multiplies by.

    Attributes:
        of_outputs: In a shape that broadcasts to the output z.
        of_weight: The same numbers in a shape that broadcasts to the weight.
    """

    of_outputs: Tensor
    of_weight: Tensor


@dataclass(frozen=True)
class Weights:
    """A weight and its bias, and a cache of what rules derive from the two.

    Attributes:
        raw: The weight, in the memory format of its layer.
        bias: The bias (out channels,), or None.
        scale: The factor of a folded batch norm, which belongs to W but is not multiplied into
            `raw`: a second weight would double the memory, and scaling the outputs takes next to
            no time. The batch norm's shift is in `bias`.
        computed: Whether `raw` or `bias` is a new tensor, and not the model's own.
        layout: The memory format of derived weights. It is that of x: torch copies a weight of
            another format at each pass.
        memo: What `once` computed, by key.
    """

    raw: Tensor
    bias: Tensor | None
    scale: Scale | None = None
    computed: bool = False
    layout: torch.memory_format = torch.preserve_format
    memo: dict[Hashable, object] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Memoise `compute()` under `key`.

        Computes in the weights' own precision, also under autocast: later calls with the same key
        may come from outside of it.
        """
        if key not in self.memo:
            with torch.autocast(self.raw.device.type, enabled=False):
                self.memo[key] = compute()
        return self.memo[key]  # type: ignore[return-value]

    def once_for_size(self, key: Hashable, size: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Memoise what depends on the size of the input as well, for the sizes that came last."""
        by_size = self.once(key, lambda: RecentItems[Tensor](MOST_SIZES))
        known = by_size.get(size)
        if known is None:
            with torch.autocast(self.raw.device.type, enabled=False):
                known = compute()
            by_size.put(size, known)
        return known

    @property
    def with_scale_applied(self) -> "Weights":
        """Multiply the scale into the weight, for rules that read the weight itself."""
        return self if self.scale is None else self.once("scaled", lambda: self.map(lambda w: w))

    @property
    def stabilised(self) -> "Weights":
        """Add STABILISER to the bias, which adds it to every output at no cost."""
        return self.once("stabilised", self._with_stabiliser)

    def _with_stabiliser(self) -> "Weights":
        if self.bias is None:
            return self
        return replace(self, bias=self.bias + STABILISER, memo={})

    @property
    def positive(self) -> "Weights":
        """Derive W^+ and b^+."""
        return self.once("positive", lambda: self.map(lambda w: w.clamp(min=0)))

    @property
    def negative(self) -> "Weights":
        """Derive W^- and b^-."""
        return self.once("negative", lambda: self.map(lambda w: w.clamp(max=0)))

    @property
    def squared(self) -> "Weights":
        """Derive W^2 and b^2."""
        return self.once("squared", lambda: self.map(torch.square))

    def raised(self, gamma: float) -> "Weights":
        """Derive W + gamma W^+ and b + gamma b^+."""
        return self.once(
            ("raised", gamma), lambda: self.map(lambda w: w.add(w.clamp(min=0), alpha=gamma))
        )

    def magnitude(self, factor: float) -> "Weights":
        """Derive |W| and |b|, both times a factor."""
        return self.once(("magnitude", factor), lambda: self.map(lambda w: w.abs() * factor))

    def map(self, function: Callable[[Tensor], Tensor]) -> "Weights":
        """Apply a function to W, scale included, and to the bias."""
        whole = self.raw if self.scale is None else self.raw * self.scale.of_weight
        raw = function(whole).to(memory_format=self.layout)
        return Weights(raw, None if self.bias is None else function(self.bias), layout=self.layout)
