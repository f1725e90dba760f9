"""Operations that compute what stands at a position from what stands there in their inputs.

A position is a place along one dimension, such as a token. Knows operations and shapes alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from .ir import Node, Ref

Shape = tuple[int | None, ...]
Shapes = Mapping[str, Shape]


def pointwise_dims(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    """Input -> its dimension that is read at the positions which the result's `dim` is needed at.

    shapes  of all values by name, None where a size follows the batch
    Inputs that are not named are read whole. None if more than those positions may be read.
    """
    rule = _RULES.get(node.operation)
    return rule(node, dim, shapes) if rule and _OPTIONS.issuperset(node.kwargs) else None


def _entrywise(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    """Shapes are aligned at their ends; an input of size 1 serves all positions."""
    places = {name: dim - len(node.shape) + len(shapes[name]) for name in node.inputs}
    sizes = {name: shapes[name][at] for name, at in places.items() if at >= 0}
    if any(size not in (1, node.shape[dim]) for size in sizes.values()):
        return None
    return {name: places[name] for name, size in sizes.items() if size != 1}


def _one(node: Node, dim: int | None) -> dict[str, int] | None:
    """Of the first argument."""
    x = node.args[0]
    return {x.name: dim} if isinstance(x, Ref) and dim is not None else None


def _linear(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    return _one(node, dim) if dim < len(node.shape) - 1 else None


def _layer_norm(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    return _one(node, dim) if dim < len(node.shape) - len(node.args[1]) else None


def _softmax(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    return _one(node, dim) if node.args[1] % len(node.shape) != dim else None


def _mean(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    dims, keeps = [*node.args[1:], None, None][:2]
    if not isinstance(dims, (list, tuple)) or not dims:
        return None
    rank = len(shapes[node.args[0].name])
    gone = sorted(d % rank for d in dims)
    for d in [] if keeps or node.kwargs.get("keepdim") else gone:
        dim += d <= dim
    return _one(node, dim)


def _reshaped(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    shape = shapes[node.args[0].name]
    if node.operation in SIZED and not isinstance(node.args[1], (list, tuple)):
        return None
    at = _same_place(shape, node.shape, dim)
    if node.operation == "squeeze" and at in _squeezed(node, len(shape)):
        return None  # of one position, it would take that dimension, too
    return _one(node, at)


def _squeezed(node: Node, rank: int) -> set[int]:
    """Dimensions that are taken away if they are of size 1."""
    dims = node.args[1] if len(node.args) > 1 else range(rank)
    return {dim % rank for dim in ([dims] if isinstance(dims, int) else dims)}


def _same_place(before: Shape, after: Shape, dim: int) -> int | None:
    """The dimension of `before` that a dimension of `after` is, where all is read in order."""
    for at, size in enumerate(before):
        ends = _as_many(before[at + 1 :], after[dim + 1 :])
        if size == after[dim] and (ends or _as_many(before[:at], after[:dim])):
            return at
    return None


def _as_many(some: Sequence[int | None], others: Sequence[int | None]) -> bool:
    sizes, other_sizes = [s for s in some if s], [s for s in others if s]
    known = len(sizes) == len(some) and len(other_sizes) == len(others)
    return known and math.prod(sizes) == math.prod(other_sizes)


def _transposed(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    order = list(range(len(node.shape)))
    first, second = node.args[1:]
    order[first], order[second] = order[second], order[first]
    return _one(node, order[dim])


def _permuted(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    return _one(node, node.args[1][dim] % len(node.shape))


def _expanded(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    shape = shapes[node.args[0].name]
    at = dim - len(node.shape) + len(shape)
    return {} if at < 0 or shape[at] == 1 else _one(node, at)


def _sliced(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    along = node.args[1] if len(node.args) > 1 else 0
    return _one(node, dim) if along % len(node.shape) != dim else None


def _selected(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    along = node.args[1] % (len(node.shape) + 1)
    return _one(node, dim + (dim >= along))


def _joined(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    rank, along = len(node.shape), [*node.args, 0][1]
    if along % rank == dim or any(len(shapes[name]) != rank for name in node.inputs):
        return None
    return dict.fromkeys(node.inputs, dim)


def _matmul(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    """A row of the first factor makes a row of the product."""
    first, second = node.args[:2]
    if first.name == second.name or len(shapes[first.name]) != len(node.shape):
        return None
    by_all = len(shapes[second.name]) == 2 and dim < len(node.shape) - 1
    return _one(node, dim) if by_all or dim == len(node.shape) - 2 else None


def _attention(node: Node, dim: int, shapes: Shapes) -> dict[str, int] | None:
    """A query makes a row of the result, with its row of the mask."""
    query, key, value, mask, dropout, causal = [*node.args, None, None, None][:6]
    options = {"attn_mask": mask, "dropout_p": dropout, "is_causal": causal, **node.kwargs}
    mask = options["attn_mask"]
    others = [ref.name for ref in (key, value, mask) if isinstance(ref, Ref)]
    moved = options["is_causal"] or options["dropout_p"]
    rank = len(shapes[query.name])
    if moved or query.name in others or not dim == len(node.shape) - 2 == rank - 2:
        return None
    found = {query.name: dim}
    rows = shapes[mask.name][-2:-1] if isinstance(mask, Ref) else ()
    if rows not in ((), (1,)):
        found[mask.name] = len(shapes[mask.name]) - 2
    return found


# Operations whose second argument is the shape of their result.
SIZED = frozenset(["view", "reshape", "_unsafe_view", "expand"])

# Arguments that may be given by name; none of them is a dimension.
_BY_NAME = """
dtype device layout memory_format non_blocking pin_memory copy alpha rounding_mode approximate min
max keepdim scale enable_gqa attn_mask dropout_p is_causal
"""
_OPTIONS = frozenset(_BY_NAME.split())

_ENTRYWISE = """
add sub rsub mul div neg pow abs square sqrt rsqrt reciprocal exp log sin cos tanh erf sigmoid
softplus relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh
clamp clamp_min clamp_max maximum minimum where masked_fill eq ne lt le gt ge logical_and logical_or
logical_not bitwise_and bitwise_or bitwise_not alias clone contiguous to _to_copy type_as
"""
_Rule = Callable[[Node, int, Shapes], dict[str, int] | None]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(_ENTRYWISE.split(), _entrywise),
    **dict.fromkeys(
        ("view", "reshape", "_unsafe_view", "flatten", "squeeze", "unsqueeze"),
        _reshaped,
    ),
    **dict.fromkeys(("layer_norm", "rms_norm"), _layer_norm),
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("mean", "sum"), _mean),
    **dict.fromkeys(("matmul", "bmm"), _matmul),
    "linear": _linear,
    "transpose": _transposed,
    "permute": _permuted,
    "expand": _expanded,
    "slice": _sliced,
    "select": _selected,
    "cat": _joined,
    "scaled_dot_product_attention": _attention,
}
