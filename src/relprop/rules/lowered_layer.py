"""A layer before it runs: what is known of it, and how its tensors are read from a model's values.

A record that `program.lower_layers` makes once per plan. Knows nothing of rules.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..graph.ir import Values
from .backward import Back, Form
from .linear_maps import LinearMap
from .weights import Weights

ReadLayer = Callable[[Values], tuple[Tensor, LinearMap, Weights]]
Activate = Callable[[Values, Tensor], Tensor]
RunLayer = Callable[[Values], tuple[Tensor, Back]]


@dataclass(frozen=True)
class LoweredLayer:
    """A layer before it runs.

    It has no activation, a ReLU that overwrites z, or another activation, in `activate`.

    Attributes:
        nonnegative: The input x is >= 0 everywhere.
        rectified: Relevance arrives only where z > 0.
        relu: A ReLU overwrites z, so that z is its result.
        keeps_sign: The activation in `activate` never changes the sign of z.
        arriving: The form of the relevance that arrives; PER_UNIT if there is an activation.
        sample_dims: The dimensions of z without the batch axis.
        read: Returns the input, geometry and weights, given all values of the model by name.
        activate: Computes the activation, given all values and z; None for none or a ReLU.
    """

    nonnegative: bool
    rectified: bool
    relu: bool
    keeps_sign: bool
    arriving: Form
    sample_dims: tuple[int, ...]
    read: ReadLayer
    activate: Activate | None
