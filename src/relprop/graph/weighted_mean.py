"""Products of a softmax and values that are then summed over the softmax's own axis: attention.

    (softmax(k)[..., None] * v).sum(-2)  is  softmax(k) @ v

The weights of such a mean are no gate: which values are mixed is as much of the result as the
values are. Takes the nodes of a graph. Must not know recipes or rules.
"""

from collections.abc import Mapping, Sequence

from .ir import Node, Ref

_SOFTMAXES = frozenset(["softmax", "_softmax", "_safe_softmax"])
_VIEWS = frozenset(["view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten"])
# What leaves the axes as they are, though some may be added before them.
_KEEPS = frozenset(
    {*("alias", "clone", "contiguous", "_to_copy", "type_as", "expand", "expand_as"), "mul", "div"}
)


def find_weighted_means(nodes: Sequence[Node]) -> set[str]:
    """Name the products that are summed over the axis of a softmax that is one of the factors."""
    by_name, found = {node.name: node for node in nodes}, set[str]()
    for node in nodes:
        product = by_name.get(node.inputs[0]) if node.operation in ("sum", "mean") else None
        if product is None or product.operation != "mul":
            continue
        rank, given = len(product.shape), (*node.args, None)[1]
        axes = [given] if isinstance(given, int) else given if given else range(rank)
        softmaxes = {_softmax_axis(arg, rank, by_name) for arg in product.args}
        if not softmaxes.isdisjoint(axis % rank for axis in axes):
            found.add(product.name)
    return found


def _softmax_axis(value: object, rank: int, nodes: Mapping[str, Node]) -> int | None:
    """Find the axis along which a factor is a softmax, in a product of so many axes; else None."""
    node = nodes.get(value.name) if isinstance(value, Ref) else None
    axis = _axis(node, nodes) if node else None
    return None if node is None or axis is None else axis + rank - len(node.shape)


def _axis(node: Node, nodes: Mapping[str, Node]) -> int | None:
    rank, before = len(node.shape), nodes.get(node.inputs[0]) if node.inputs else None
    if node.operation in _SOFTMAXES:
        return int(node.args[1]) % rank
    axis = _axis(before, nodes) if before and _moves(node) else None
    if before is None or axis is None:
        return None
    if node.operation in _KEEPS:
        return axis + rank - len(before.shape)
    if node.operation in _VIEWS:
        return _same_place(before.shape, axis, node.shape)
    if node.operation == "permute":
        return next(i for i, dim in enumerate(node.args[1]) if dim % rank == axis)
    if node.operation == "transpose":
        a, b = (int(dim) % rank for dim in node.args[1:])
        return {a: b, b: a}.get(axis, axis)
    dim = int((*node.args, 0)[1]) % len(before.shape)  # of slice and select
    return None if dim == axis else axis - (node.operation == "select" and dim < axis)


def _moves(node: Node) -> bool:
    scales = node.operation in ("mul", "div") and isinstance(node.args[1], Ref)
    others = ("permute", "transpose", "slice", "select")
    return (node.operation in _KEEPS | _VIEWS and not scales) or node.operation in others


def _same_place(shape: Sequence[int | None], axis: int, new: Sequence[int | None]) -> int | None:
    """Find an axis again after a view that adds or removes axes of size 1 before it."""
    ahead = [size for size in shape[:axis] if size != 1]
    places = (i for i, size in enumerate(new) if size == shape[axis])
    return next((i for i in places if [s for s in new[:i] if s != 1] == ahead), None)
