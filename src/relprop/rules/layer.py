"""A layer that was run on a batch, as custom rules see it: z = W x + b.

x  (batch, *in)     the input
z  (batch, *out)    the output, bias included
s  (batch, *out)    a cotangent of z, which is carried back along the weights
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from .backward import Form
from .executor import along_outputs
from .linear_maps import LinearMap, transposed, weighted_sum
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
        activation: What runs on z with the layer; the relevance that arrives is that of its result.
        relu: The activation is a ReLU that overwrites z: then z is its result.
        arriving: The form of the relevance that will arrive.
        sample_dims: The dimensions of z without the batch axis.
    """

    map: LinearMap
    weights: Weights
    x: Tensor
    nonnegative: bool
    rectified: bool
    activation: Callable[[Tensor], Tensor] | None
    relu: bool
    arriving: Form
    sample_dims: tuple[int, ...] = ()

    @cached_property
    def z(self) -> Tensor:
        """Compute the sum (batch, *out), bias included; after its ReLU, where one overwrites it."""
        z = self.forward(self.x, self.weights)
        return z.relu_() if self.relu else z

    @cached_property
    def result(self) -> Tensor:
        """Compute what the layer gives on: z, or its activation of z."""
        return self.z if self.relu or self.activation is None else self.activation(self.z)

    @property
    def whole(self) -> "WeightedSum":
        """Multiply the scale of a folded batch norm into the weight, for rules that read it."""
        return self if self.weights.scale is None else replace(self, weights=self.weights.whole)

    def relevance(self, v: Tensor) -> Tensor:
        """Convert what arrives as `v` to relevance R of the result."""
        return v if self.arriving is Form.RELEVANCE else v * self.result

    def forward(self, x: Tensor, weights: Weights) -> Tensor:
        """Compute z for other inputs or other weights, their bias included."""
        return weighted_sum(self.map, x, weights)

    def transpose(self, s: Tensor, weights: Weights) -> Tensor:
        """Compute W^T s, of x's shape."""
        return transposed(self.map, s, weights, self.x.shape, overwrite=False)

    def bias(self, weights: Weights) -> Tensor | float:
        """Return the bias of the weights in a shape that broadcasts to z; 0 if there is none."""
        return along_outputs(self.map, weights)
