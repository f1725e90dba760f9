"""Weighted sums z = W x + b as rules see them, and the weights that rules derive.

x  (batch, *in)     the input
z  (batch, *out)    the output, bias included
s  (batch, *out)    whatever is carried back along the weights
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

from .backward import Form
from .linear_maps import LinearMap
from .scaling import Factor

T = TypeVar("T")
STABILISER = 1e-6


@dataclass(frozen=True)
class Scale:
    """What a batch norm in eval mode multiplies each output of a layer by.

    of_outputs  of a shape that broadcasts to z
    of_weight   the same numbers, of a shape that broadcasts to the weight
    """

    of_outputs: Tensor
    of_weight: Tensor


@dataclass(frozen=True)
class Weights:
    """A weight and its bias, and what rules derive from them, each made when first asked for.

    raw     the weight, in the layout of its layer
    bias    (out channels,) or None
    scale   of a batch norm that belongs to W and not to `raw`: a weight of its own would be as much
            memory again, and to scale outputs takes next to no time. Its shift is in the bias
    made    they are not all the model's own tensors
    layout  of weights that are made from it: that of x, as torch would copy others at each pass
    """

    raw: Tensor
    bias: Tensor | None
    scale: Scale | None = None
    made: bool = False
    layout: torch.memory_format = torch.preserve_format
    _made: dict[Hashable, object] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, made for the first who asks by this key and kept with the weights.

        In the weights' own precision, also under autocast: others may ask outside of it.
        """
        if key not in self._made:
            with torch.autocast(self.raw.device.type, enabled=False):
                self._made[key] = make()
        return self._made[key]  # type: ignore[return-value]

    @property
    def derived(self) -> bool:
        """Whether anything here was computed from the model's own tensors."""
        return self.made or bool(self._made)

    @property
    def whole(self) -> "Weights":
        """The same, with W itself as its weight."""
        return self if self.scale is None else self.once("whole", lambda: self.map(lambda w: w))

    @property
    def shifted(self) -> "Weights":
        """The same with STABILISER added to the bias, and so to every output, at no cost."""
        return self.once("shifted", self._shift)

    def _shift(self) -> "Weights":
        if self.bias is None:
            return self
        return replace(self, bias=self.bias + STABILISER, _made={})

    @property
    def positive(self) -> "Weights":
        """W^+ and b^+."""
        return self.once("positive", lambda: self.map(lambda w: w.clamp(min=0)))

    @property
    def negative(self) -> "Weights":
        """W^- and b^-."""
        return self.once("negative", lambda: self.map(lambda w: w.clamp(max=0)))

    @property
    def squared(self) -> "Weights":
        """W^2 and b^2."""
        return self.once("squared", lambda: self.map(torch.square))

    def raised(self, gamma: float) -> "Weights":
        """W + gamma W^+ and b + gamma b^+."""
        return self.once(
            ("raised", gamma), lambda: self.map(lambda w: w.add(w.clamp(min=0), alpha=gamma))
        )

    def sizes(self, factor: float) -> "Weights":
        """|W| and |b|, both times a factor."""
        return self.once(("sizes", factor), lambda: self.map(lambda w: w.abs() * factor))

    def map(self, function: Callable[[Tensor], Tensor]) -> "Weights":
        """The function of W, and of the bias."""
        whole = self.raw if self.scale is None else self.raw * self.scale.of_weight
        raw = function(whole).to(memory_format=self.layout)
        return Weights(raw, None if self.bias is None else function(self.bias), layout=self.layout)


@dataclass(frozen=True)
class WeightedSum:
    """One weighted sum of a model, run on a batch: all that a rule may know of it.

    x            input (batch, *in)
    nonnegative  x is known to be >= 0 everywhere
    rectified    relevance arrives only where z > 0
    activation   what runs on z with the sum; relevance that arrives is that of its result
    relu         the activation is a ReLU that overwrites z: then z is its result
    keeps_sign   the activation never has the other sign than z
    arriving     the form of the relevance that will arrive
    sample_dims  the dimensions of z but the one over samples
    """

    map: LinearMap
    weights: Weights
    x: Tensor
    nonnegative: bool
    rectified: bool
    activation: Callable[[Tensor], Tensor] | None
    relu: bool
    keeps_sign: bool
    arriving: Form
    sample_dims: tuple[int, ...] = ()

    @cached_property
    def z(self) -> Tensor:
        """The sum (batch, *out), bias included; after its ReLU, where one overwrites it."""
        return self._rectify(self.forward(self.x, self.weights))

    @property
    def result(self) -> Tensor:
        """What the step gives on: z, or what its activation makes of it."""
        return self.z if self.relu or self.activation is None else self._activated

    @cached_property
    def _activated(self) -> Tensor:
        assert self.activation is not None
        return self.activation(self.z)

    def add_up(self, one: Tensor, other: Tensor | float) -> None:
        """Make z the sum of two parts that a rule has anyway, in place of one more pass."""
        self.__dict__["z"] = self._rectify(one + other)

    def _rectify(self, z: Tensor) -> Tensor:
        return z.relu_() if self.relu else z

    def relevance(self, v: Tensor) -> Tensor:
        """R, the relevance of the result, that arrives as `v`."""
        return v if self.arriving is Form.RELEVANCE else v * self.result

    def share(self, denominator: Tensor, *, reuse: bool = False) -> Factor:
        """The function from the relevance that arrives to R / denominator.

        reuse  the denominator is nobody else's, and may be overwritten
        """
        if self.arriving is Form.RELEVANCE:
            return Factor(denominator, torch.div, own=reuse)
        own = denominator if reuse and not torch.is_grad_enabled() else None
        return Factor(torch.div(self.result, denominator, out=own))

    @property
    def whole(self) -> "WeightedSum":
        """The same for who reads the weight: it is all of W."""
        return self if self.weights.scale is None else replace(self, weights=self.weights.whole)

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """Z for other inputs or other weights, their bias included."""
        return forward(self.map, x, weights)

    def stabilised(self, x: Tensor, weights: Weights) -> Tensor:
        """The same with STABILISER added."""
        z = self.forward(x, weights.shifted)
        return z if weights.bias is not None else z.add_(STABILISER)

    def bias(self, weights: Weights) -> Tensor | float:
        """Their bias, of a shape that broadcasts to z; 0 if there is none."""
        return 0.0 if weights.bias is None else self.map.along_outputs(weights.bias)

    def carry(self, weights: Weights, *, own: bool = False) -> Callable[[Tensor], Tensor]:
        """The function from s to W^T s, of x's shape. It keeps neither x nor z alive.

        own  s is nobody else's, and may be overwritten
        """
        linear_map, raw, shape = self.map, weights.raw, self.x.shape
        if weights.scale is None:
            return lambda s: linear_map.transpose(s, raw, shape)
        scale = weights.scale.of_outputs

        def carry(s: Tensor) -> Tensor:
            times = Tensor.mul_ if own and not torch.is_grad_enabled() else Tensor.mul
            return linear_map.transpose(times(s, scale.to(s.dtype)), raw, shape)

        return carry

    def carry_to_signs(self) -> Callable[[Tensor], tuple[Tensor, ...]]:
        """The function from s to (W^+)^T s and (W^-)^T s, in one pass."""
        linear_map, weights, shape = self.map, self.weights, self.x.shape
        both = weights.once(
            "signs", lambda: linear_map.beside(weights.positive.raw, weights.negative.raw)
        )
        return lambda s: linear_map.transpose_both(s, both, shape)

    def transpose(self, s: Tensor, weights: Weights) -> Tensor:
        """W^T s, of x's shape."""
        return self.carry(weights)(s)


def forward(linear_map: LinearMap, x: Tensor, weights: Weights) -> Tensor:
    """W x + b."""
    if weights.scale is None:
        return linear_map.forward(x, weights.raw, weights.bias)
    assert weights.bias is not None  # it holds the batch norm's shift
    z = linear_map.forward(x, weights.raw, None)
    scale, shift = weights.scale.of_outputs, linear_map.along_outputs(weights.bias)
    room = None if torch.is_grad_enabled() else z
    return torch.addcmul(shift.to(z.dtype), z, scale.to(z.dtype), out=room)
