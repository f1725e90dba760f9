"""Replaces in-place operations of an exported program by those that return a new value.

Takes an ExportedProgram and gives one of the same results whose operations write no value.
torch's own way, `run_decompositions`, runs the whole model again, which takes seconds. Most models
write only by operations such as relu_, on a value that shares its memory with no other: there, it
is enough to rename the operation. Programs with any other write go torch's way.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from ..graph.ops import ACTIVATIONS
from ..support import torch_private

# Operations after which renaming gives the very graph that run_decompositions gives. All others
# are left to torch: it decomposes some of them, such as a matmul.
_KNOWN_OPERATIONS = {
    # Their results have memory of their own, whatever the arguments.
    "new memory": "conv1d conv2d conv3d conv_transpose2d.input linear batch_norm layer_norm "
    "group_norm relu hardtanh silu hardswish hardsigmoid sigmoid tanh gelu elu leaky_relu "
    "add.Tensor sub.Tensor mul.Tensor div.Tensor cat max_pool2d avg_pool2d adaptive_avg_pool2d "
    "mean.dim softmax.int bmm flip",
    # Their results may be views of the first argument.
    "views": "dropout flatten.using_ints view permute transpose.int unsqueeze squeeze.dim "
    "select.int slice.Tensor",
}
_NEW_MEMORY, _VIEWS = (frozenset(names.split()) for names in _KNOWN_OPERATIONS.values())
_SIZE = "sym_size.int"

# What is known of a value's memory, where it matters for a write into it.
_OWN = "own"  # new memory, which no other value shares
_SHARED = "shared"  # another value may be a view of it
_OVERWRITTEN = "overwritten"  # it no longer holds the value; nothing may read it
_WRITTEN = "written"  # the result of a write, in the memory of the overwritten value


def functionalize(program: ExportedProgram) -> ExportedProgram:
    """Return a program without in-place operations; the argument may be changed and is used up."""
    graph = program.graph
    if not can_rename(graph):
        return run_decompositions(program)
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.flatten.using_ints):
        _make_view(node)
    for node in graph.nodes:
        _rename(node)
    graph.eliminate_dead_code()
    return program


def run_decompositions(program: ExportedProgram) -> ExportedProgram:
    """Go torch's way, which writes no value; the argument is used up.

    For autograd, torch writes softshrink out by sign, which has no derivative. Activations have
    rules of their own, so they stay whole. Not to be called by two threads at once.
    """
    kernels = [torch_private.python_kernels(operation) for operation in _activations()]
    whole = [(own, key, cache) for own, cache in kernels for key in own if key.name == "Autograd"]
    removed = [(own, key, own.pop(key), cache) for own, key, cache in whole]
    try:
        for *_, cache in removed:
            cache.clear()
        return program.run_decompositions({})  # type: ignore[no-any-return]
    finally:
        for own, key, function, cache in removed:
            own[key] = function
            cache.clear()


def _activations() -> Iterator[Any]:
    """List torch's operations that are activations, in all their overloads."""
    for name in sorted(ACTIVATIONS):
        packet = getattr(torch.ops.aten, name, None)
        yield from (getattr(packet, o) for o in (packet.overloads() if packet else ()))


def can_rename(graph: Graph) -> bool:
    """Whether renaming is enough: all operations are known, and no write is seen elsewhere."""
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    return all(map(_is_known, nodes[:-1])) and _writes_are_private(nodes)


def _writes_are_private(nodes: list[Node]) -> bool:
    """Whether each write goes into memory that no other value shares and nothing reads later.

    A functional operation gives a new value and leaves the old one. That is the same as a write
    if nobody can tell: no view shows the written numbers, and nobody reads the old ones.
    """
    memory: dict[Node, str] = {}
    for node in nodes:
        first, name = node.all_input_nodes[0], _name(node)
        if any(memory.get(argument) == _OVERWRITTEN for argument in node.all_input_nodes):
            return False
        if _writes(node):
            if memory.get(first) not in (_OWN, _WRITTEN) or not _keeps_dtype(node):
                return False
            memory.update({first: _OVERWRITTEN, node: _WRITTEN})
        elif name in _VIEWS:
            # Here torch's way would lose which module takes the view, so the graphs would differ.
            if memory.get(first) == _WRITTEN and name != "dropout":
                return False
            memory[first] = _SHARED
        elif name in _NEW_MEMORY:
            memory[node] = _OWN
    return True


def _name(node: Node) -> str:
    """Return a name such as "relu" or "add.Tensor"; "" for what is none of torch's operations."""
    name = torch_private.operation_name(node.target)
    if name is None or name.namespace != "aten":
        return ""
    return name.name if name.overload == "default" else f"{name.name}.{name.overload}"


def _is_known(node: Node) -> bool:
    name, args = _name(node), node.args
    if name == "batch_norm":  # in train mode, it would update its running statistics
        return len(args) == 9 and args[5] is False and None not in (args[3], args[4])
    if name == "dropout":
        return len(args) == 3 and args[2] is False
    if name == "flatten.using_ints":
        return _view_sizes(node) is not None
    return name in _NEW_MEMORY | _VIEWS | {_SIZE} or _writes(node)


def _writes(node: Node) -> bool:
    return _functional_name(_name(node)) in _NEW_MEMORY


def _functional_name(name: str) -> str:
    """Return "relu" for "relu_", and "add.Tensor" for "add_.Tensor"; "" for names without "_"."""
    base, dot, overload = name.partition(".")
    return base.removesuffix("_") + dot + overload if base.endswith("_") else ""


def _keeps_dtype(node: Node) -> bool:
    """Whether the functional operation gives the dtype of the value that is written into.

    With arguments of several dtypes, it would give the promoted one, and a write would cast.
    """
    values = [argument.meta["val"] for argument in node.all_input_nodes]
    if not all(isinstance(value, Tensor) and value.is_floating_point() for value in values):
        return False
    return len({value.dtype for value in values}) == 1


def _view_sizes(node: Node) -> list[Any] | None:
    """Return the sizes of a flattened value, without the batch size, if a view can have them.

    None if the first dimension does not follow the batch, or if the flattened dimensions do not
    lie in memory one within the other: flatten would copy then.
    """
    args: tuple[Any, ...] = node.args
    value, start = args[0].meta["val"], args[1] if len(args) > 1 else 0
    end = args[2] if len(args) > 2 else -1
    if end != -1 or not 0 < start < value.ndim - 1 or _batch_source(node) is None:
        return None
    sizes, strides = value.shape[1:], value.stride()[1:]
    if not all(isinstance(number, int) for number in (*sizes, *strides)):
        return None
    flattened = list(zip(sizes, strides, strict=True))[start - 1 :]
    flattened = [(size, stride) for size, stride in flattened if size != 1]
    if any(outer != size * inner for (_, outer), (size, inner) in pairwise(flattened)):
        return None
    return [*sizes[: start - 1], prod(sizes[start - 1 :])]


def _batch_source(node: Node) -> Node | None:
    """Find where an operation's batch size can be taken from.

    Returns the node that computes this size, else an input whose first size it is, else None.
    """
    batch = node.all_input_nodes[0].meta["val"].shape[0]
    sizes = [other for other in node.graph.nodes if _name(other) == _SIZE]
    inputs = node.graph.find_nodes(op="placeholder")
    sources = [n for n in sizes if _is_same_symbol(n.meta["val"], batch)]
    sources += [n for n in inputs if any(_is_same_symbol(s, batch) for s in _shape(n)[:1])]
    return sources[0] if sources else None


def _shape(node: Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _is_same_symbol(size: Any, other: Any) -> bool:
    """Whether two sizes are the same one that is left open, as the batch size is."""
    symbol = torch_private.symbol_of(size)
    return symbol is not None and symbol == torch_private.symbol_of(other)


def _make_view(node: Node) -> None:
    """Write a flatten as the view that run_decompositions makes of it."""
    batch, sizes, graph = _batch_source(node), _view_sizes(node), node.graph
    assert batch is not None
    assert sizes is not None
    if batch.op == "placeholder":
        with graph.inserting_after(graph.find_nodes(op="placeholder")[-1]):
            size = graph.call_function(torch.ops.aten.sym_size.int, (batch, 0))
        size.meta["val"] = batch.meta["val"].shape[0]
        batch = size
    node.target = torch.ops.aten.view.default
    node.args = (node.args[0], [batch, *sizes])


def _rename(node: Node) -> None:
    """Replace an operation that may write, or that may return its argument, by a functional one."""
    if node.op != "call_function":
        return
    name = _name(node)
    if name == "batch_norm":
        node.args = (*node.args[:-1], False)  # cudnn_enabled, as run_decompositions sets it
    elif name == "dropout":
        node.target, node.args = torch.ops.aten.clone.default, node.args[:1]
    elif _writes(node):
        base, _, overload = _functional_name(name).partition(".")
        node.target = getattr(getattr(torch.ops.aten, base), overload or "default")
