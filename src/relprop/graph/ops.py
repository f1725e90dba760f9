"""The operations that relprop knows, by torch's name, and what each does to relevance.

A few principles cover them all. What is linear in its inputs needs no rule: relevance per unit of
activation goes back through its adjoint. What is not linear, or has weights, takes a rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Literal, get_args

from .ir import Node, Ref

Kind = Literal[
    "convolution",
    "linear",
    "average-pool",
    "product",  # of two values that depend on the input, entry by entry
    "gate",  # such a product in which one value is the other's gate, between 0 and 1
    "matmul",  # a matrix product of two values that depend on the input
    "softmax",
    "attention",  # scaled dot-product attention as one operation
    "normalisation",  # LayerNorm and its like; a quotient; a product with a norm or a mean
    "recurrent",  # LSTM, GRU, RNN
]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTED_SUMS: tuple[Kind, ...] = ("convolution", "linear", "average-pool")
LAYERS: tuple[Kind, ...] = ("convolution", "linear")


class Principle(Enum):
    """What an operation does to relevance.

    RULE         a rule of the recipe decides
    ACTIVATION   each entry of the result comes of one entry of the input, whose relevance it is
    SELECTION    copies entries of its inputs: relevance goes back the way the value came
    CHOICE       the same, and which entries it copies depends on their values
    LINEAR  linear in its inputs: back through the adjoint
    STATISTIC    relevance cannot pass; a value to normalise by, which is held constant
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

    kind         of a rule: which rows of a recipe it fits; of a product, where it has two factors
                 that depend on the input (with one, it is linear)
    keeps_zero   of an activation: f(0) = 0
    keeps_sign   of an activation: f(x) is never of the other sign than x
    nonnegative  of the result: "always"; "if-inputs", where all of them are >= 0; "never" known
    rectifies    of an activation: it is zero wherever its input is <= 0
    elementwise  of a combination: with one argument that depends on the input, each entry of the
                 result depends on one entry of it
    gate         the result lies between 0 and 1 ("open"), or between -1 and 1 ("signed")
    reduces      the result says something of many entries together
    """

    principle: Principle
    kind: Kind | None = None
    keeps_zero: bool = True
    keeps_sign: bool = False
    nonnegative: Literal["always", "if-inputs", "never"] = "never"
    rectifies: bool = False
    elementwise: bool = False
    gate: Literal["open", "signed"] | None = None
    reduces: bool = False

    @property
    def weighs(self) -> bool:
        """Whether it is a weighted sum."""
        return self.kind in WEIGHTED_SUMS


def _rule(kind: Kind, **known: object) -> Operation:
    return replace(Operation(Principle.RULE, kind), **known)  # type: ignore[arg-type]


_ACTIVATION = Operation(Principle.ACTIVATION)
_EVEN = replace(_ACTIVATION, nonnegative="always")
_SHIFTED = replace(_ACTIVATION, keeps_zero=False)
_POSITIVE = replace(_SHIFTED, nonnegative="always")
_SELECTION = Operation(Principle.SELECTION, nonnegative="if-inputs")
_CHOICE = Operation(Principle.CHOICE, nonnegative="if-inputs")
_SUM = Operation(Principle.LINEAR, nonnegative="if-inputs")
_SIGNED = Operation(Principle.LINEAR, elementwise=True)

_BY_OPERATION: Mapping[Operation, str] = {
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
    replace(_EVEN, rectifies=True): "relu",
    _ACTIVATION: "leaky_relu prelu elu celu hardshrink softshrink sin asinh atan expm1 log1p "
    "nan_to_num rrelu",
    replace(_ACTIVATION, keeps_sign=True): "gelu silu mish hardswish selu softsign",
    replace(_ACTIVATION, keeps_sign=True, gate="signed"): "tanh erf",
    replace(_ACTIVATION, nonnegative="if-inputs"): "sqrt",
    _EVEN: "abs square",
    replace(_POSITIVE, gate="open"): "sigmoid hardsigmoid",
    _POSITIVE: "softplus exp rsqrt",
    _SHIFTED: "log_sigmoid threshold log cos reciprocal",
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
    replace(_SIGNED, elementwise=False): "upsample_bicubic2d _upsample_bicubic2d_aa grid_sampler "
    "scatter_reduce grouped_mm_fallback _grouped_mm diff",
    _SIGNED: "sub rsub neg batch_norm lerp",
    # f(t x) = t f(x) for t > 0: x times the gradient is f(x), as where they are written out
    replace(_SUM, nonnegative="always", reduces=True): "std norm linalg_vector_norm",
    Operation(Principle.STATISTIC, reduces=True): "var_mean logsumexp prod",
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {name: operation for operation, names in _BY_OPERATION.items() for name in names.split()}
)

# Their result depends on the shape of their first argument, and not on its values.
SHAPES_ONLY = frozenset(
    [
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
        "zero",
        "fill",
        "sym_size",
    ]
)

# Of their arguments only the first counts by its values; the others by their shape or dtype.
FIRST_BY_VALUE = frozenset({"expand_as", "view_as", "type_as"})

# The two factors of a product, by position; 0 and 1 elsewhere. What comes before is added.
FACTORS = MappingProxyType(
    {"baddbmm": (1, 2), "addmm": (1, 2), "addcmul": (1, 2), "einsum": (1, 2)}
)

# Operations whose first argument alone may depend on the input.
FIRST_ONLY = frozenset(
    {
        "batch_norm",
        "grid_sampler",
        "grouped_mm_fallback",
        "_grouped_mm",
        "prelu",
        "pow",
        "clamp",
        "clamp_min",
        "clamp_max",
        "threshold",
    }
)


def operation_of(node: Node) -> Operation | None:
    """What is known of a node's operation, given its arguments; None if nothing is."""
    operation = OPERATIONS.get(node.operation)
    if node.operation in _BY_ARGUMENTS:
        return _BY_ARGUMENTS[node.operation](node)
    if operation and operation.nonnegative == "if-inputs" and _may_turn_negative(node):
        return replace(operation, nonnegative="never")
    return operation


def _division(node: Node) -> Operation | None:
    if node.kwargs.get("rounding_mode"):
        return None  # a step function, with a derivative of zero
    return replace(OPERATIONS["mul"], nonnegative="never" if _negative(node) else "if-inputs")


def _hardtanh(node: Node) -> Operation:
    return _clipping(*node.args[1:] or (-1.0, 1.0))


def _clamp(node: Node) -> Operation:
    given = {"min": None, "max": None, **node.kwargs}
    given.update(zip(("min", "max"), node.args[1:], strict=False))
    if node.operation in ("clamp_min", "clamp_max"):
        given = {"min": None, "max": None, node.operation[6:]: node.args[1]}
    return _clipping(given["min"], given["max"])


def _clipping(low: object = None, high: object = None) -> Operation:
    if isinstance(low, Ref) or isinstance(high, Ref):
        return _SHIFTED
    bottom = low if isinstance(low, (int, float)) else float("-inf")
    top = high if isinstance(high, (int, float)) else float("inf")
    return replace(
        _ACTIVATION,
        keeps_zero=bottom <= 0 <= top,
        nonnegative="always" if bottom >= 0 else "never",
        rectifies=bottom == 0 <= top,
        gate="signed" if max(abs(bottom), abs(top)) < float("inf") else None,
    )


def _power(node: Node) -> Operation | None:
    exponent = node.args[1]
    if not isinstance(exponent, (int, float)):
        return None
    even = float(exponent / 2).is_integer()
    return replace(
        _ACTIVATION,
        keeps_zero=exponent > 0,
        nonnegative="always" if even else "if-inputs",
    )


def _scatter_reduce(node: Node) -> Operation | None:
    adds = any(arg in ("sum", "mean") for arg in node.args[4:])
    return OPERATIONS["scatter_reduce"] if adds else None


def _norm(node: Node) -> Operation:
    operation = OPERATIONS[node.operation]
    counts = node.args[1:2] == (0,)  # how many are not 0, whatever their scale
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
    """Whether a constant among the arguments of a sum or a selection may be negative."""
    subtracts = node.operation == "add" and bool(node.kwargs)
    fills = node.operation in ("add", "mul", "pad", "constant_pad_nd", "masked_fill", "where")
    return subtracts or (fills and _negative(node))


def _negative(node: Node) -> bool:
    numbers = (arg for arg in node.args if isinstance(arg, (int, float)))
    return any(number < 0 for number in numbers)
