"""A layer that was run on a batch, as custom rules see it: z = W x + b.

x  (batch, *in)     the input
z  (batch, *out)    the output, bias included
s  (batch, *out)    a cotangent of z, which is carried back along the weights
"""

from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from .backward import Form
from .linear_maps import LinearMap, bias_of, transposed, weighted_sum
from .weights import Weights


@dataclass(frozen=True)
class WeightedSum:
    """One weighted sum of a model, run on a batch: all that a custom rule may know of it.

    Attributes:
        map: The geometry: dense, convolution, average pool.
        weights: W and b, and what can be derived of them.
        x: Input (batch, *in).
        nonnegative: x is known to be >= 0 everywhere.
        rectified: Relevance arrives only where z > 0.
        arriving: The form of the relevance that will arrive.
    """

    map: LinearMap
    weights: Weights
    x: Tensor
    nonnegative: bool
    rectified: bool
    arriving: Form

    @cached_property
    def z(self) -> Tensor:
        """Compute the sum (batch, *out), bias included."""
        return self.forward(self.x, self.weights)

    @property
    def with_scale_applied(self) -> "WeightedSum":
        """Multiply the scale of a folded batch norm into the weight, for rules that read it."""
        weights = self.weights
        return self if weights.scale is None else replace(self, weights=weights.with_scale_applied)

    def relevance(self, v: Tensor) -> Tensor:
        """Convert what arrives as `v` to relevance R of z."""
        return v if self.arriving is Form.RELEVANCE else v * self.z

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """Compute z for other inputs or other weights, their bias included."""
        return weighted_sum(self.map, x, weights)

    def transpose(self, s: Tensor, weights: Weights) -> Tensor:
        """Compute W^T s, of x's shape."""
        return transposed(self.map, s, weights, self.x.shape, overwrite=False)

    def bias(self, weights: Weights) -> Tensor | float:
        """Return the bias of the weights in a shape that broadcasts to z; 0 if there is none."""
        return bias_of(self.map, weights)
