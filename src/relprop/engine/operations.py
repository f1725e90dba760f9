"""The operations that relprop knows, by torch's name, and what each does to relevance.

Four principles cover them. A weighted sum takes a rule. An activation passes relevance on. A
selection copies some of its inputs: relevance goes back the way the value came. A combination is
linear in its inputs: relevance per unit of activation goes back through its adjoint. Where a recipe
asks for the gradient, any operation is treated as a combination.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Literal

from .capture import Node
from .rows import Kind


class Principle(Enum):
    """What an operation does to relevance."""

    WEIGHTED_SUM = "weighted sum"
    ACTIVATION = "activation"
    SELECTION = "selection"
    COMBINATION = "combination"
    GRADIENT = "gradient"


@dataclass(frozen=True)
class Operation:
    """What is known of an operation.

    kind          which rows of a recipe a weighted sum fits
    keeps_zero    of an activation: f(0) = 0
    nonnegative   of the result: "always"; "if-inputs", where all of them are >= 0; "never" known
    rectifies     of an activation: it is zero wherever its input is <= 0
    scales        of a combination: it multiplies one argument by the other
    elementwise   of a combination: with one argument that depends on the input, each entry of the
                  result depends on one entry of it
    """

    principle: Principle
    kind: Kind | None = None
    keeps_zero: bool = True
    nonnegative: Literal["always", "if-inputs", "never"] = "never"
    rectifies: bool = False
    scales: bool = False
    elementwise: bool = False


_CONVOLUTION = Operation(Principle.WEIGHTED_SUM, "convolution")
_LINEAR = Operation(Principle.WEIGHTED_SUM, "linear")
_POOL = Operation(Principle.WEIGHTED_SUM, "average-pool", nonnegative="if-inputs")
_RELU = Operation(Principle.ACTIVATION, nonnegative="always", rectifies=True)
_ACTIVATION = Operation(Principle.ACTIVATION)
_GATE = Operation(Principle.ACTIVATION, keeps_zero=False, nonnegative="always")
_SHIFTED = Operation(Principle.ACTIVATION, keeps_zero=False)
_SELECTION = Operation(Principle.SELECTION, nonnegative="if-inputs")
_SUM = Operation(Principle.COMBINATION, nonnegative="if-inputs")
_ADDITION = replace(_SUM, elementwise=True)
_SIGNED = Operation(Principle.COMBINATION, elementwise=True)
_SCALING = replace(_SIGNED, scales=True)

_BY_OPERATION: Mapping[Operation, str] = {
    _CONVOLUTION: "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    _LINEAR: "linear",
    _POOL: "avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    _RELU: "relu",
    _ACTIVATION: "leaky_relu prelu elu celu selu gelu silu mish hardswish tanh",
    _GATE: "sigmoid hardsigmoid softplus",
    _SHIFTED: "log_sigmoid threshold hardtanh clamp",
    _SELECTION: "view reshape _unsafe_view flatten unflatten squeeze unsqueeze permute transpose t "
    "contiguous clone alias slice select narrow cat stack expand flip pixel_shuffle pad "
    "chunk split split_with_sizes unbind "
    "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d",
    _ADDITION: "add",
    _SUM: "mean sum upsample_linear1d upsample_bilinear2d upsample_trilinear3d",
    _SIGNED: "sub rsub neg batch_norm",
    _SCALING: "mul div",
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {name: operation for operation, names in _BY_OPERATION.items() for name in names.split()}
)


def known(node: Node) -> Operation | None:
    """What is known of a node's operation, given its arguments; None if nothing is."""
    operation = OPERATIONS.get(node.operation)
    if node.operation == "div" and node.kwargs.get("rounding_mode"):
        return None  # a step function, with a derivative of zero
    if node.operation == "hardtanh":
        return _clipping(*node.args[1:] or (-1.0, 1.0))
    if node.operation == "clamp":
        return _clipping(*node.args[1:])
    if node.operation in ("add", "pad") and any(_is_negative(arg) for arg in node.args):
        return replace(operation, nonnegative="never") if operation else None
    if node.operation == "add" and node.kwargs:
        return _SIGNED
    return operation


def kind(node: Node) -> Kind | None:
    """Which kind of weighted sum a node is; None if it is none."""
    operation = known(node)
    return operation.kind if operation else None


def _clipping(low: object = None, high: object = None) -> Operation:
    bottom = low if isinstance(low, (int, float)) else float("-inf")
    top = high if isinstance(high, (int, float)) else float("inf")
    return replace(
        _ACTIVATION,
        keeps_zero=bottom <= 0 <= top,
        nonnegative="always" if bottom >= 0 else "never",
        rectifies=bottom == 0 <= top,
    )


def _is_negative(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return False  # sizes and widths: a negative width crops
    return isinstance(value, (int, float)) and value < 0
