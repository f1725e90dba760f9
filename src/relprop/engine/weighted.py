"""Weighted sums z = W x + b as rules see them, and the weights that rules derive.

x  (batch, *in)     the input
z  (batch, *out)    the output, bias included
s  (batch, *out)    whatever is carried back along the weights
"""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .forms import Form
from .linear_maps import LinearMap


@dataclass(frozen=True)
class Weights:
    """A weight and its bias, and what rules derive from them, each made when first asked for.

    raw   the weight, in the layout of its layer
    bias  (out channels,) or None
    """

    raw: Tensor
    bias: Tensor | None

    @cached_property
    def positive(self) -> "Weights":
        """W^+ and b^+."""
        return Weights(self.raw.clamp(min=0), None if self.bias is None else self.bias.clamp(min=0))

    @cached_property
    def negative(self) -> "Weights":
        """W^- and b^-."""
        return Weights(self.raw.clamp(max=0), None if self.bias is None else self.bias.clamp(max=0))

    @cached_property
    def squared(self) -> "Weights":
        """W^2 and b^2."""
        return Weights(self.raw**2, None if self.bias is None else self.bias**2)

    def plus(self, other: "Weights", factor: float) -> "Weights":
        """W + factor * other."""
        if self.bias is None or other.bias is None:
            return Weights(self.raw.add(other.raw, alpha=factor), None)
        return Weights(
            self.raw.add(other.raw, alpha=factor), self.bias.add(other.bias, alpha=factor)
        )


@dataclass(frozen=True)
class WeightedSum:
    """One weighted sum of a model, run on a batch: all that a rule may know of it.

    x, z         input (batch, *in) and output (batch, *out), bias included; z after its ReLU, where
                 one runs with it: then what arrives counts only where z > 0
    nonnegative  x is known to be >= 0 everywhere
    rectified    relevance arrives only where z > 0
    relu         z is the output of a ReLU that runs with the sum
    arriving     the form of the relevance that will arrive at z
    sample_dims  the dimensions of z but the one over samples
    """

    map: LinearMap
    weights: Weights
    x: Tensor
    z: Tensor
    nonnegative: bool
    rectified: bool
    relu: bool
    arriving: Form
    sample_dims: tuple[int, ...] = ()

    def relevance(self, v: Tensor) -> Tensor:
        """R, the relevance of z, that arrives as `v`."""
        return v if self.arriving is Form.RELEVANCE else v * self.z

    def share(self, v: Tensor, denominator: Tensor) -> Tensor:
        """R / denominator for the relevance that arrives as `v`."""
        if self.arriving is Form.RELEVANCE:
            return v / denominator
        return (self.z / denominator).mul_(v)

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """Z for other inputs or other weights, their bias included."""
        return self.map.forward(x, weights.raw, weights.bias)

    def bias(self, weights: Weights) -> Tensor | float:
        """Their bias, of a shape that broadcasts to z; 0 if there is none."""
        return 0.0 if weights.bias is None else self.map.along_outputs(weights.bias)

    def transpose(self, s: Tensor, weights: Weights) -> Tensor:
        """W^T s, of x's shape."""
        return self.map.transpose(s, weights.raw, self.x.shape)
