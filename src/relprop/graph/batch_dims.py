"""Operations that keep samples apart: result entry i along the batch axis reads only input entry i.

One rule for each operation, beside those of `prune_rules`, which hold for positions as well. Takes
nodes and shapes; must not know the graph around a node. An operation that stands in neither table,
or an option that no rule was written for, is not known to keep samples apart.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .ir import Node, Ref
from .ops import ACTIVATIONS, STEPS
from .prune_rules import Dims, Shapes, entrywise_dims, pointwise_dims


def batch_dims(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Find the dimension of each input that runs along with the batch axis of the result.

    Args:
        node: An operation.
        dim: The batch axis of its result, >= 0.
        shapes: Shapes of all values by name, with None where a size follows the batch size.

    Returns:
        Input -> its dimension that corresponds to `dim`: an entry of the result along `dim` reads
        this input at the same index alone. Inputs that are left out are read whole, or are the
        same for all entries. None if that is not known of the operation.
    """
    rule = _RULES.get(node.operation)
    if rule is None:
        return pointwise_dims(node, dim, shapes)
    return rule(node, dim, shapes) if _OPTIONS.issuperset(node.kwargs) else None


def _first(node: Node, dim: int) -> Dims | None:
    x = node.args[0]
    return {x.name: dim} if isinstance(x, Ref) else None


def _spatial(dims: int) -> Callable[[Node, int, Shapes], Dims | None]:
    """Return the rule of an operation on (batch, channels, ...) with some dimensions behind."""

    def rule(node: Node, dim: int, shapes: Shapes) -> Dims | None:
        return _first(node, 0) if dim == 0 and len(node.shape) == dims + 2 else None

    return rule


def _each_picture(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _first(node, 0) if dim == 0 and len(node.shape) == 4 else None


def _group_norm(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _first(node, 0) if dim == 0 else None


def _batch_norm(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Read statistics of the module: with those of the batch, samples would be mixed."""
    *_, training, _, _, _ = node.args
    return _first(node, dim) if dim != 1 and training is False else None


def _embedding(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    ids = node.args[1]
    return {ids.name: dim} if isinstance(ids, Ref) and dim < len(node.shape) - 1 else None


def _grid_sampler(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return dict.fromkeys(node.inputs, 0) if dim == 0 else None


def _matrices(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair the leading dimensions of factors that hold a matrix each."""
    if dim < len(node.shape) - 2:
        return entrywise_dims(node, dim, shapes)
    return pointwise_dims(node, dim, shapes)


def _rows(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair all leading dimensions of the first factor; the other one is a matrix for all."""
    return _first(node, dim) if dim < len(node.shape) - 1 else None


def _unfolded(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    ranks = {len(node.shape), len(shapes[node.args[0].name])}
    return _first(node, 0) if dim == 0 and ranks == {3, 4} else None


def _addmm(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair the rows of the first factor; what is added is taken whole."""
    x = node.args[1]
    return {x.name: 0} if dim == 0 and isinstance(x, Ref) else None


def _attention(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    dropout = node.args[4] if len(node.args) > 4 else node.kwargs.get("dropout_p")
    if dropout or dim >= len(node.shape) - 2:
        return None
    return entrywise_dims(node, dim, shapes)


def _einsum(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    equation, *factors = node.args
    terms, arrow, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not arrow or "." in equation or len(letters) != len(factors):
        return None
    pairs = [(ref, term) for ref, term in zip(factors, letters, strict=True) if result[dim] in term]
    dims = {ref.name: term.index(result[dim]) for ref, term in pairs}
    # One value that stands in two places, or a letter that does twice, would need two dimensions.
    plain = len(dims) == len(pairs) and all(term.count(result[dim]) == 1 for _, term in pairs)
    return dims if plain and len(set(node.inputs)) == len(factors) else None


def _along(place: int, default: Any) -> Callable[[Node, int, Shapes], Dims | None]:
    """Return the rule of an operation that mixes the entries along some dimensions.

    Args:
        place: Which argument names them: one, or several; empty or None for all.
        default: What it is if it is left out.
    """

    def rule(node: Node, dim: int, shapes: Shapes) -> Dims | None:
        x = node.args[0]
        given = node.args[place] if len(node.args) > place else default
        mixed = [given] if isinstance(given, int) else given
        if not isinstance(x, Ref) or not isinstance(mixed, (list, tuple)) or not mixed:
            return None
        rank = len(shapes[x.name])
        removed = sorted(at % rank for at in mixed)
        if len(node.shape) < rank:  # the dimensions are gone, where they are not kept
            for at in removed:
                dim += at <= dim
        return {x.name: dim} if dim not in removed else None

    return rule


def _placed(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair all dimensions of a value and of what is read or written along one of them."""
    along, rank = node.args[1], len(node.shape)
    sizes = {shapes[name][dim : dim + 1] for name in node.inputs if len(shapes[name]) == rank}
    alike = all(len(shapes[name]) == rank for name in node.inputs) and len(sizes) == 1
    return dict.fromkeys(node.inputs, dim) if alike and along % rank != dim else None


def _index_add(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    x, along, _, added = node.args
    return dict.fromkeys((x.name, added.name), dim) if along % len(node.shape) != dim else None


def _slice_scatter(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    x, part, *rest = node.args
    along = (rest[0] if rest else 0) % len(node.shape)
    names = {x.name, part.name}
    return dict.fromkeys(names, dim) if along != dim else None


def _select_scatter(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    x, part, along, _ = node.args
    along %= len(node.shape)
    if along == dim or x.name == part.name:
        return None
    return {x.name: dim, part.name: dim - (along < dim)}


def _pad(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair a dimension that is not padded. Amounts are listed from the last dimension on."""
    from_end = len(node.shape) - 1 - dim
    padded = node.args[1][2 * from_end : 2 * from_end + 2]
    return _first(node, dim) if all(amount == 0 for amount in padded) else None


def _triangle(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    return _first(node, dim) if dim < len(node.shape) - 2 else None


def _recurrent(node: Node, dim: int, shapes: Shapes) -> Dims | None:
    """Pair the samples of a sequence and of its initial state; a packed one has no batch axis."""
    x, state, *_, batch_first = node.args
    states = state if isinstance(state, (list, tuple)) else [state]
    padded = len(node.args) == 9 and len(shapes[x.name]) == 3
    of_sequence = 0 if batch_first else 1
    if not padded or dim != (of_sequence if node.item == 0 else 1):
        return None
    return {x.name: of_sequence} | {ref.name: 1 for ref in states}


_OPTIONS_TEXT = """
dtype approximate min max keepdim scale enable_gqa attn_mask dropout_p is_causal alpha beta
correction stable rounding_mode
"""
_OPTIONS = frozenset(_OPTIONS_TEXT.split())

_Rule = Callable[[Node, int, Shapes], Dims | None]


def _table(rule: _Rule, names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names.split(), rule)


_ENTRYWISE = """
addcmul lerp logical_xor bitwise_xor floor_divide remainder fmod isnan isinf isfinite copysign
atan2 __and__ __or__ __xor__ __lshift__ __rshift__
"""
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(ACTIVATIONS | STEPS, entrywise_dims),
    **_table(entrywise_dims, _ENTRYWISE),
    **_table(_spatial(1), "conv1d conv_transpose1d avg_pool1d adaptive_avg_pool1d max_pool1d"),
    **_table(_spatial(2), "conv2d conv_transpose2d avg_pool2d adaptive_avg_pool2d max_pool2d"),
    **_table(_spatial(3), "conv3d conv_transpose3d avg_pool3d adaptive_avg_pool3d max_pool3d"),
    **_table(_spatial(1), "upsample_nearest1d upsample_linear1d adaptive_max_pool1d"),
    **_table(_spatial(2), "max_pool2d_with_indices adaptive_max_pool2d upsample_nearest2d"),
    **_table(_spatial(2), "upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa"),
    **_table(_spatial(3), "max_pool3d_with_indices adaptive_max_pool3d upsample_nearest3d"),
    **_table(_each_picture, "pixel_shuffle pixel_unshuffle channel_shuffle"),
    **_table(_group_norm, "group_norm instance_norm"),
    **_table(_matrices, "matmul bmm baddbmm"),
    **_table(_unfolded, "im2col col2im"),
    **_table(_along(1, None), "mean sum amax amin std logsumexp any all argmax argmin prod"),
    **_table(_along(1, None), "max min median cumsum cumprod cummax cummin flip softmax _softmax"),
    **_table(_along(1, None), "_safe_softmax log_softmax _log_softmax"),
    **_table(_along(1, None), "var_mean"),
    **_table(_along(2, None), "norm linalg_vector_norm"),
    **_table(_along(2, -1), "topk kthvalue"),
    **_table(_along(1, -1), "sort argsort"),
    **_table(_placed, "gather scatter scatter_add"),
    **_table(
        _pad,
        "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d",
    ),
    **_table(_triangle, "tril triu"),
    **_table(_recurrent, "lstm gru rnn_tanh rnn_relu"),
    "mm": _rows,
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    "embedding": _embedding,
    "grid_sampler": _grid_sampler,
    "scaled_dot_product_attention": _attention,
    "einsum": _einsum,
    "index_add": _index_add,
    "slice_scatter": _slice_scatter,
    "select_scatter": _select_scatter,
}
