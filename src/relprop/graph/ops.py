"""The operations that relprop knows, by torch's name, and what is true of each.

A few principles cover them all. A linear operation needs no rule: relevance per unit of activation
propagates back through its VJP. An operation that is not linear, or that has weights, takes a rule.
Takes nodes; must not know recipes or rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Literal, get_args

from .ir import Node, Ref

# How to add an operation. A graph names operations as torch.ops.aten does, without the overload;
# an operation that stands in no table here is refused before anything is computed.
#
# 1. Put its name into `_NAMES_BY_RECORD`, under the record that is true of it. If what is true
#    depends on the arguments, put it under the record that is true whatever they are, and add a
#    function to `_BY_ARGUMENTS` that gives the exact record. Add a sample call to
#    tests/graph/test_ops.py, which holds the record to what torch computes.
# 2. If one of these applies, add it there as well:
#    - which arguments count: SHAPES_ONLY, FIRST_BY_VALUE, FACTORS and FIRST_ONLY below;
#    - of kind "normalisation" or "recurrent": how it runs, in program/normalisation.py or
#      rules/recurrent.py;
#    - it may change the order of samples in a batch: capture/batch_axes.py;
#    - it draws random numbers: capture/eval_mode.py.
# 3. These tables save time or memory, or let more options apply. Explanations are right without:
#    - graph/prune_rules.py: leave out positions that the output does not depend on;
#    - program/vjps.py: a VJP by hand, cheaper than autograd's;
#    - capture/functionalize.py: in-place forms that are renamed without tracing the model again;
#    - observe/channels.py: where its channels are, for channels by index in a condition.
#
# Tables stay where their code is, since VJPs and rules belong to later stages than the graph.
# tests/graph/test_operation_tables.py holds all of them to each other and to torch.

Kind = Literal[
    "convolution",
    "linear",
    "average-pool",
    "product",  # elementwise, of two values that depend on the input
    "gate",  # such a product of which one factor is a gate, between 0 and 1
    "matmul",  # a matrix product of two values that depend on the input
    "softmax",
    "attention",  # scaled dot-product attention as one operation
    "normalisation",  # LayerNorm and the like; a quotient; a product with a norm or a mean
    "recurrent",  # LSTM, GRU, RNN
]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTED_SUMS: tuple[Kind, ...] = ("convolution", "linear", "average-pool")
LAYERS: tuple[Kind, ...] = ("convolution", "linear")


class Principle(Enum):
    """How relevance propagates back through an operation.

    Attributes:
        RULE: By a rule of the recipe.
        ACTIVATION: Unchanged: each entry of the result depends on one entry of the input.
        SELECTION: To the entries that were copied; which ones does not depend on their values.
        CHOICE: To the entries that were copied; which ones depends on their values (max pooling).
        LINEAR: By the VJP: the operation is linear, or homogeneous of degree one, so that its
            input times its gradient sums to its output.
        STATISTIC: Not at all: it is a statistic to normalise by, and is held constant.
    """

    RULE = "rule"
    ACTIVATION = "activation"
    SELECTION = "selection"
    CHOICE = "choice"
    LINEAR = "linear"
    STATISTIC = "statistic"


@dataclass(frozen=True)
class Operation:
    """What is known of an operation.

    Attributes:
        principle: How relevance propagates back through it.
        kind: The kind of rule that it takes. A product takes one only where both factors depend on
            the input; with one it is linear.
        keeps_zero: Of an activation: f(0) = 0.
        finite_at_zero: Of an activation: f(0) is a finite number.
        keeps_sign: Of an activation: f(x) never has the other sign than x.
        nonnegative: Whether the result is >= 0: "always"; "if-inputs", where all inputs are;
            "never", where that is not known.
        rectifies: Of an activation: f(x) = 0 for all x <= 0.
        elementwise: Of a linear operation or a product: with one argument that depends on the
            input, each entry of the result depends on one entry of it.
        gate: Whether the result lies between 0 and 1 ("open"), or -1 and 1 or the like ("signed").
        reduces: Whether each entry of the result summarises many entries of the input.
    """

    principle: Principle
    kind: Kind | None = None
    keeps_zero: bool = True
    finite_at_zero: bool = True
    keeps_sign: bool = False
    nonnegative: Literal["always", "if-inputs", "never"] = "never"
    rectifies: bool = False
    elementwise: bool = False
    gate: Literal["open", "signed"] | None = None
    reduces: bool = False


def _rule(kind: Kind, **properties: object) -> Operation:
    return replace(Operation(Principle.RULE, kind), **properties)  # type: ignore[arg-type]


_ACTIVATION = Operation(Principle.ACTIVATION)
_NONNEGATIVE = replace(_ACTIVATION, nonnegative="always")
_SHIFTED = replace(_ACTIVATION, keeps_zero=False)
_POSITIVE = replace(_SHIFTED, nonnegative="always")
_POLE = replace(_SHIFTED, finite_at_zero=False)
_SELECTION = Operation(Principle.SELECTION, nonnegative="if-inputs")
_CHOICE = Operation(Principle.CHOICE, nonnegative="if-inputs")
_LINEAR = Operation(Principle.LINEAR)
_SUM = replace(_LINEAR, nonnegative="if-inputs")

_NAMES_BY_RECORD: Mapping[Operation, str] = {
    _rule("convolution"): "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    _rule("linear"): "linear",
    _rule("average-pool", nonnegative="if-inputs"): "avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    _rule("product", elementwise=True, nonnegative="if-inputs"): "mul div",
    _rule("product"): "addcmul",
    _rule("matmul", nonnegative="if-inputs"): "matmul bmm mm mv einsum tensordot",
    _rule("matmul"): "baddbmm addmm",
    _rule("softmax", nonnegative="always", gate="open"): "softmax _softmax _safe_softmax",
    _rule("softmax"): "log_softmax _log_softmax",
    _rule("attention"): "scaled_dot_product_attention",
    _rule("normalisation"): "layer_norm group_norm rms_norm instance_norm",
    _rule("recurrent"): "lstm gru rnn_tanh rnn_relu",
    replace(_NONNEGATIVE, rectifies=True): "relu",
    _ACTIVATION: "leaky_relu prelu elu celu hardshrink softshrink sin asinh atan expm1 log1p "
    "nan_to_num rrelu",
    replace(_ACTIVATION, keeps_sign=True): "gelu silu mish hardswish selu",
    replace(_ACTIVATION, keeps_sign=True, gate="signed"): "tanh erf",
    replace(_ACTIVATION, nonnegative="if-inputs"): "sqrt",
    _NONNEGATIVE: "abs square",
    replace(_POSITIVE, gate="open"): "sigmoid hardsigmoid",
    _POSITIVE: "softplus exp",
    replace(_POLE, nonnegative="always"): "rsqrt",
    _POLE: "log reciprocal pow",
    _SHIFTED: "log_sigmoid threshold cos hardtanh relu6 clamp clamp_min clamp_max",
    _SELECTION: "view reshape _unsafe_view view_as flatten unflatten squeeze unsqueeze permute "
    "transpose t movedim swapaxes contiguous clone alias to _to_copy type_as "
    "slice select narrow cat stack expand expand_as repeat tile repeat_interleave flip roll rot90 "
    "index index_select gather take_along_dim pixel_shuffle pixel_unshuffle channel_shuffle "
    "native_channel_shuffle pad constant_pad_nd reflection_pad1d reflection_pad2d "
    "replication_pad1d replication_pad2d chunk split split_with_sizes unsafe_split unbind "
    "diagonal unfold im2col tril triu where masked_fill masked_scatter max_unpool2d max_unpool3d "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d",
    _CHOICE: "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d topk sort cummax cummin",
    replace(_CHOICE, elementwise=True): "maximum minimum",
    replace(_CHOICE, reduces=True): "amax amin max min median kthvalue",
    replace(_SUM, elementwise=True): "add",
    replace(_SUM, reduces=True): "mean sum",
    _SUM: "cumsum upsample_linear1d upsample_bilinear2d upsample_trilinear3d col2im "
    "_upsample_bilinear2d_aa "
    "index_add scatter_add scatter index_put index_copy slice_scatter select_scatter",
    _LINEAR: "upsample_bicubic2d _upsample_bicubic2d_aa grid_sampler "
    "scatter_reduce grouped_mm_fallback _grouped_mm diff",
    replace(_LINEAR, elementwise=True): "sub rsub neg batch_norm lerp",
    # Homogeneous of degree one: x times the gradient is f(x), as where a norm is written out.
    replace(_SUM, nonnegative="always", reduces=True): "std norm linalg_vector_norm",
    Operation(Principle.STATISTIC, reduces=True): "var_mean logsumexp prod",
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {name: operation for operation, names in _NAMES_BY_RECORD.items() for name in names.split()}
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACTIVATIONS = frozenset(
    name for name, record in OPERATIONS.items() if record.principle is Principle.ACTIVATION
)


# The result depends on the shape of the first argument, and not on its values.
SHAPES_ONLY = _names(
    "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty zero fill "
    "sym_size"
)

# Only the first argument counts by its values; the others give a shape or a dtype.
FIRST_BY_VALUE = _names("expand_as view_as type_as")

# Indices of a product's two factors, where they are not 0 and 1. An argument before them is added.
FACTORS = MappingProxyType(
    {"baddbmm": (1, 2), "addmm": (1, 2), "addcmul": (1, 2), "einsum": (1, 2)}
)

# Step functions, whose derivative is 0 or none; a rule may put another one in its place.
COMPARISONS = _names("gt ge lt le")
STEPS = COMPARISONS | _names("round floor ceil trunc sign sgn heaviside detach")

# Only the first argument may depend on the model's input: the others are parameters.
FIRST_ONLY = _names(
    "batch_norm grid_sampler grouped_mm_fallback _grouped_mm prelu pow clamp clamp_min clamp_max "
    "threshold"
)


def rounds_quotient(node: Node) -> bool:
    """Tell whether it is a division that rounds its result: a step function of both arguments."""
    return node.operation == "floor_divide" or bool(node.kwargs.get("rounding_mode"))


def has_zero_gradient(node: Node, places: tuple[int, ...]) -> bool:
    """Tell whether torch's derivative by the arguments at these places is zero everywhere."""
    by_sign = node.operation == "copysign" and places == (1,)
    divides = node.operation == "div" and rounds_quotient(node)
    return by_sign or divides or node.operation in STEPS - {"heaviside"}


def operation_of(node: Node) -> Operation | None:
    """Look up what is known of a node's operation with its arguments; None if it is unknown."""
    operation = OPERATIONS.get(node.operation)
    if node.operation in _BY_ARGUMENTS:
        return _BY_ARGUMENTS[node.operation](node)
    if operation and operation.nonnegative == "if-inputs" and _may_turn_negative(node):
        return replace(operation, nonnegative="never")
    return operation


def _division(node: Node) -> Operation | None:
    if rounds_quotient(node):
        return None  # its derivative is zero
    return replace(OPERATIONS["div"], nonnegative="never" if _negative(node) else "if-inputs")


def _hardtanh(node: Node) -> Operation:
    return _clipping(*node.args[1:] or (-1.0, 1.0))


def _clamp(node: Node) -> Operation:
    if node.operation in ("clamp_min", "clamp_max"):
        return _clipping(**{node.operation.replace("clamp_", ""): node.args[1]})
    return _clipping(*node.args[1:], **node.kwargs)


def _clipping(min: object = None, max: object = None) -> Operation:
    if isinstance(min, Ref) or isinstance(max, Ref):
        return _SHIFTED
    low = min if isinstance(min, (int, float)) else float("-inf")
    high = max if isinstance(max, (int, float)) else float("inf")
    return replace(
        _ACTIVATION,
        keeps_zero=low <= 0 <= high,
        nonnegative="always" if low >= 0 else "never",
        rectifies=low == 0 <= high,
        gate="signed" if abs(low) < float("inf") and abs(high) < float("inf") else None,
    )


def _power(node: Node) -> Operation | None:
    exponent = node.args[1]
    if not isinstance(exponent, (int, float)):
        return None
    even = float(exponent / 2).is_integer()
    return replace(
        _ACTIVATION,
        keeps_zero=exponent > 0,
        finite_at_zero=exponent >= 0,
        nonnegative="always" if even else "if-inputs",
    )


def _scatter_reduce(node: Node) -> Operation | None:
    adds = any(arg in ("sum", "mean") for arg in node.args[4:])
    return OPERATIONS["scatter_reduce"] if adds else None


def _norm(node: Node) -> Operation:
    operation = OPERATIONS[node.operation]
    # The norm of order 0 counts the entries that are not 0, whatever their scale.
    counts = node.args[1:2] == (0,)
    return replace(operation, principle=Principle.STATISTIC) if counts else operation


_BY_ARGUMENTS: Mapping[str, Callable[[Node], Operation | None]] = {
    "div": _division,
    "hardtanh": _hardtanh,
    "relu6": lambda node: _clipping(0, 6),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "pow": _power,
    "scatter_reduce": _scatter_reduce,
    "norm": _norm,
    "linalg_vector_norm": _norm,
}


def _may_turn_negative(node: Node) -> bool:
    """Tell whether a constant argument of a sum or a selection may make its result negative."""
    # With alpha=, add may subtract; the sign of a constant scale or fill value is looked at.
    subtracts = node.operation == "add" and bool(node.kwargs)
    fills = node.operation in ("add", "mul", "pad", "constant_pad_nd", "masked_fill", "where")
    return subtracts or (fills and _negative(node))


def _negative(node: Node) -> bool:
    numbers = (arg for arg in node.args if isinstance(arg, (int, float)))
    return any(number < 0 for number in numbers)
