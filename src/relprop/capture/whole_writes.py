"""Replaces writes into parts of a value, such as x[:, 1:] = 0, by operations that return the whole.

Takes and changes a graph of torch.fx. What it does not replace is left as it was.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.fx import Graph, Node

from ..support import torch_private
from .inline_blocks import operation_calls
from .operation_names import aten_name, has_own_memory, writes_own

_ATEN = torch.ops.aten
_PUT_BACK = {
    "slice.Tensor": _ATEN.slice_scatter.default,
    "select.int": _ATEN.select_scatter.default,
}
_WRITES = ("copy_", "fill_.Tensor", "fill_.Scalar", "zero_")


def return_whole_values(graph: Graph) -> None:
    """Replace writes into slices and selected parts of memory that only this graph reads.

    A write is left as it is where another view of the memory, taken before it, is read after it.

    Example: `part = slice(x, 1, 1, 4); copy_(part, y)` becomes `slice_scatter(x, y, 1, 1, 4)`,
    which is read in place of x from there on.
    """
    for node in operation_calls(graph):
        if aten_name(node) in _WRITES:
            _replace(graph, node)


def _replace(graph: Graph, write: Node) -> None:
    """Replace one write, unless it cannot be told that its result is the same."""
    first = write.args[0]
    assert isinstance(first, Node)
    *parts, base = _up_to_base(first)
    after = set(_following(write))
    stale = [view for view in _views(base) if view not in after]
    alone = has_own_memory(base) or writes_own(base)
    if not (parts and alone and _keeps_device(write)):
        return
    if any(after & set(view.users) for view in stale):
        return
    with graph.inserting_before(write):
        whole = _written(graph, write, first)
        for part in parts:
            put, (x, *where) = _PUT_BACK[aten_name(part)], part.args
            assert isinstance(x, Node)
            whole = _call(graph, write, x, put, x, whole, *where)
    base.replace_all_uses_with(whole, delete_user_cb=after.__contains__)
    graph.erase_node(write)


def _up_to_base(view: Node) -> Iterator[Node]:
    """Yield a part of a value, what it is a part of, and so on."""
    yield view
    while aten_name(view) in _PUT_BACK:
        view = view.all_input_nodes[0]
        yield view


def _following(node: Node) -> Iterator[Node]:
    """Yield the nodes after one, up to the output."""
    while node.op != "output":
        node = node.next
        yield node


def _views(value: Node) -> Iterator[Node]:
    """Yield all nodes that may share the memory of a value; what writes into it is one."""
    for user in value.users:
        if user.op == "call_function" and not has_own_memory(user):
            yield user
            yield from _views(user)


def _keeps_device(write: Node) -> bool:
    values = [node.meta["val"] for node in write.all_input_nodes]
    return len({value.device for value in values if isinstance(value, Tensor)}) == 1


def _written(graph: Graph, write: Node, part: Node) -> Node:
    """Return what is written, in the shape and dtype of the part."""
    name = aten_name(write)
    if name == "zero_":
        return _call(graph, write, part, _ATEN.zeros_like.default, part)
    new = write.args[1]
    if not isinstance(new, Node):
        return _call(graph, write, part, _ATEN.full_like.default, part, new)
    before, after = new.meta["val"], part.meta["val"]
    if before.dtype != after.dtype:
        cast = _call(graph, write, new, torch_private.cast_operation(), new)
        cast.kwargs, cast.meta["val"] = {"dtype": after.dtype}, before.to(after.dtype)
        new = cast
    return _call(graph, write, part, _ATEN.expand_as.default, new, part)


def _call(graph: Graph, write: Node, like: Node, target: object, *args: object) -> Node:
    """Insert an operation in place of a write, whose result is like another value."""
    node = graph.call_function(target, args)  # type: ignore[arg-type]
    node.meta = {**write.meta, "val": like.meta["val"]}
    return node
