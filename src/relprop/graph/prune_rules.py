"""Operations that are pointwise along a dimension: output position i reads only input position i.

One rule for each operation; pruning asks them where to go on. A position is an index along one
dimension, such as a token. Takes nodes and shapes; must not know the graph around a node.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from .ir import Node, Ref

Shape = tuple[int | None, ...]
Shapes = Mapping[str, Shape]
Dims = dict[str, int]  # input -> one of its dimensions


def pointwise_dims(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Find the dimension of each input that runs along with a dimension of the result.

    Args:
        node: An operation.
        dim: A dimension of its result, >= 0.
        shapes: Shapes of all values by name, with None where a size follows the batch size.

    Returns:
        Input -> its dimension that corresponds to `dim`: to compute some positions of the result,
        the same positions of this input are enough. Inputs that are left out are read whole.
        None if the operation is not pointwise along `dim`, or is not known to be.
    """
    rule = _RULES.get(node.operation)
    # An option that no rule was written for may change which positions are read.
    return rule(node, dim, shapes) if rule and _OPTIONS.issuperset(node.kwargs) else None


def _of_first(node: Node, dim: int | None) -> Dims | None:
    """Pair the result's dimension with `dim` of the first argument."""
    x = node.args[0]
    return {x.name: dim} if isinstance(x, Ref) and dim is not None else None


# ---- entry by entry, and along the other dimensions ----------------------------------------------


def entrywise_dims(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Align shapes at their ends, as broadcasting does; an input of size 1 serves all positions."""
    dims = {name: dim - len(node.shape) + len(shapes[name]) for name in node.inputs}
    sizes = {name: shapes[name][at] for name, at in dims.items() if at >= 0}
    if any(size not in (1, node.shape[dim]) for size in sizes.values()):
        return None
    return {name: dims[name] for name, size in sizes.items() if size != 1}


def _linear(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _of_first(node, dim) if dim < len(node.shape) - 1 else None


def _layer_norm(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _of_first(node, dim) if dim < len(node.shape) - len(node.args[1]) else None


def _softmax(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _of_first(node, dim) if node.args[1] % len(node.shape) != dim else None


def _mean(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    reduced, keepdim = [*node.args[1:], None, None][:2]
    if not isinstance(reduced, (list, tuple)) or not reduced:
        return None
    rank = len(shapes[node.args[0].name])
    if not (keepdim or node.kwargs.get("keepdim")):
        for reduced_dim in sorted(d % rank for d in reduced):
            dim += reduced_dim <= dim
    return _of_first(node, dim)


def _matmul(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair a row of the product with that row of the first factor; the second is read whole."""
    first, second = node.args[:2]
    if first.name == second.name or len(shapes[first.name]) != len(node.shape):
        return None
    is_matrix = len(shapes[second.name]) == 2 and dim < len(node.shape) - 1
    return _of_first(node, dim) if is_matrix or dim == len(node.shape) - 2 else None


def _attention(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair a row of the result with that query and that row of the mask; all keys are read.

    With is_causal, a query's mask follows from its position, which pruning would change.
    """
    query, key, value, mask, dropout, causal = [*node.args, None, None, None][:6]
    options = {"attn_mask": mask, "dropout_p": dropout, "is_causal": causal, **node.kwargs}
    mask = options["attn_mask"]
    read_whole = [ref.name for ref in (key, value, mask) if isinstance(ref, Ref)]
    by_position = options["is_causal"] or options["dropout_p"]
    rank = len(shapes[query.name])
    if by_position or query.name in read_whole or not dim == len(node.shape) - 2 == rank - 2:
        return None
    dims = {query.name: dim}
    rows = shapes[mask.name][-2:-1] if isinstance(mask, Ref) else ()
    if rows not in ((), (1,)):
        dims[mask.name] = len(shapes[mask.name]) - 2
    return dims


# ---- other shapes and orders ---------------------------------------------------------------------


def _reshape(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    shape = shapes[node.args[0].name]
    if node.operation in SIZED and not isinstance(node.args[1], (list, tuple)):
        return None
    at = _same_dimension(shape, node.shape, dim)
    if node.operation == "squeeze" and at in _squeezed(node, len(shape)):
        return None  # pruned to one position, the dimension would be squeezed as well
    return _of_first(node, at)


def _squeezed(node: Node, rank: int) -> set[int]:
    """List the dimensions that are removed if they have size 1."""
    dims = node.args[1] if len(node.args) > 1 else range(rank)
    return {dim % rank for dim in ([dims] if isinstance(dims, int) else dims)}


def _same_dimension(before: Shape, after: Shape, dim: int) -> int | None:
    """Find the dimension that a reshape leaves as it is: as large, with as many entries behind it.

    As many before it is enough, too, since one batch size may be unknown.
    """
    for at, size in enumerate(before):
        as_many_behind = _same_product(before[at + 1 :], after[dim + 1 :])
        if size == after[dim] and (as_many_behind or _same_product(before[:at], after[:dim])):
            return at
    return None


def _same_product(sizes: Sequence[int | None], others: Sequence[int | None]) -> bool:
    """Tell whether sizes that are all known have the same product."""
    known, others_known = [s for s in sizes if s], [s for s in others if s]
    all_known = len(known) == len(sizes) and len(others_known) == len(others)
    return all_known and math.prod(known) == math.prod(others_known)


def _transpose(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    order = list(range(len(node.shape)))
    first, second = node.args[1:]
    order[first], order[second] = order[second], order[first]
    return _of_first(node, order[dim])


def _permute(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _of_first(node, node.args[1][dim] % len(node.shape))


def _expand(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    shape = shapes[node.args[0].name]
    at = dim - len(node.shape) + len(shape)
    return {} if at < 0 or shape[at] == 1 else _of_first(node, at)


def _slice(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    along = node.args[1] if len(node.args) > 1 else 0
    return _of_first(node, dim) if along % len(node.shape) != dim else None


def _select(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    along = node.args[1] % (len(node.shape) + 1)
    return _of_first(node, dim + (dim >= along))


def _cat(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    rank, along = len(node.shape), [*node.args, 0][1]
    if along % rank == dim or any(len(shapes[name]) != rank for name in node.inputs):
        return None
    return dict.fromkeys(node.inputs, dim)


# ---- tables --------------------------------------------------------------------------------------

# Operations whose second argument is the shape of their result.
SIZED = frozenset(["view", "reshape", "_unsafe_view", "expand"])

# Keyword arguments that the rules read, or that say nothing of dimensions.
_OPTIONS_TEXT = """
dtype device layout memory_format non_blocking pin_memory copy alpha rounding_mode approximate min
max keepdim scale enable_gqa attn_mask dropout_p is_causal
"""
_OPTIONS = frozenset(_OPTIONS_TEXT.split())

_ENTRYWISE = """
add sub rsub mul div neg pow abs square sqrt rsqrt reciprocal exp log sin cos tanh erf sigmoid
softplus relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh
clamp clamp_min clamp_max maximum minimum where masked_fill eq ne lt le gt ge logical_and logical_or
logical_not bitwise_and bitwise_or bitwise_not alias clone contiguous to _to_copy type_as
"""
_Rule = Callable[[Node, int, Shapes], Dims | None]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(_ENTRYWISE.split(), entrywise_dims),
    **dict.fromkeys(
        ("view", "reshape", "_unsafe_view", "flatten", "squeeze", "unsqueeze"),
        _reshape,
    ),
    **dict.fromkeys(("layer_norm", "rms_norm"), _layer_norm),
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("mean", "sum"), _mean),
    **dict.fromkeys(("matmul", "bmm"), _matmul),
    "linear": _linear,
    "transpose": _transpose,
    "permute": _permute,
    "expand": _expand,
    "slice": _slice,
    "select": _select,
    "cat": _cat,
    "scaled_dot_product_attention": _attention,
}
