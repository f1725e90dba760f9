"""Replaces in-place operations of an exported program by those that return a new value.

Takes an ExportedProgram and gives one of the same results whose operations write no value.
torch's own way, `run_decompositions`, runs the whole model again, which takes longer than to export
it. Most models write only by operations such as relu_, on a value that shares its memory with no
other: there, it is enough to rename the operation. Programs with any other write go torch's way,
and those with operations that only torch writes out in others.
"""

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from ..graph.ops import ACTIVATIONS, OPERATIONS
from ..support import exported_sizes, torch_private
from .inline_blocks import inline_blocks, operation_calls
from .operation_names import aten_name, functional_name, has_own_memory, writes_own
from .whole_writes import return_whole_values

# Of their second argument the shape counts alone, which what is written in its place says.
_LIKE_ANOTHER = {
    "expand_as": torch.ops.aten.expand.default,
    "reshape_as": torch.ops.aten.view.default,
    "view_as": torch.ops.aten.view.default,
}
_DROPOUTS = ("dropout", "dropout_")  # which do nothing in eval mode
_SIZE_TYPES = (int, float, bool, torch.SymInt, torch.SymFloat, torch.SymBool)
_SIZE = torch.ops.aten.sym_size.int
_CHECKS = ("_assert", "sym_constrain")  # beginnings of names: they give nothing

# What is known of a value's memory, where it matters for a write into it.
_OWN = "own"  # new memory, which no other value shares
_SHARED = "shared"  # another value may be a view of it
_OVERWRITTEN = "overwritten"  # it no longer holds the value; nothing may read it
_WRITTEN = "written"  # the result of a write, in the memory of the overwritten value


def functionalize(program: ExportedProgram) -> ExportedProgram:
    """Return a program without in-place operations; the argument may be changed and is used up."""
    graph = program.graph
    inline_blocks(graph)
    _drop_copies_of_constants(graph)
    return_whole_values(graph)
    if not can_rename(graph):
        return run_decompositions(program)
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


def _drop_copies_of_constants(graph: Graph) -> None:
    """Read tensors that the code makes, as torch.tensor(2.0) does, where they are held."""
    for node in operation_calls(graph):
        if aten_name(node) == "detach_" and aten_name(node.all_input_nodes[0]) == "lift_fresh_copy":
            copied = node.all_input_nodes[0]
            node.replace_all_uses_with(copied)
            graph.erase_node(node)
            copied.target = torch.ops.aten.clone.default


def _writes_are_private(nodes: list[Node]) -> bool:
    """Whether each write goes into memory that no other value shares and nothing reads later.

    A functional operation gives a new value and leaves the old one. That is the same as a write
    if nobody can tell: no view shows the written numbers, and nobody reads the old ones.
    """
    memory: dict[Node, str] = {}
    for node in nodes:
        if any(memory.get(argument) == _OVERWRITTEN for argument in node.all_input_nodes):
            return False
        if writes_own(node):
            first = node.all_input_nodes[0]
            if memory.get(first) not in (_OWN, _WRITTEN) or not _keeps_dtype(node):
                return False
            memory.update({first: _OVERWRITTEN, node: _WRITTEN})
        elif has_own_memory(node):
            memory[node] = _OWN
        else:
            memory.update(dict.fromkeys(node.all_input_nodes, _SHARED))
    return True


def _is_known(node: Node) -> bool:
    """Whether an operation stays as it is, or is renamed: torch would not write it out in others.

    torch writes out composite operations that may give a view. Those that selections are made of
    are known as they are.
    """
    name, args, target = aten_name(node), node.args, node.target
    if not name:
        return target is operator.getitem or isinstance(node.meta.get("val"), _SIZE_TYPES)
    if name == "batch_norm":  # in train mode, it would update its running statistics
        return len(args) == 9 and args[5] is False and None not in (args[3], args[4])
    if name in _DROPOUTS:
        return len(args) == 3 and args[2] is False
    if torch_private.writes_memory(target):
        return writes_own(node)
    viewed = torch_private.is_composite(target) and torch_private.gives_view(target)
    base = name.partition(".")[0]
    known = base in OPERATIONS or base in _LIKE_ANOTHER or base.startswith(_CHECKS)
    return known or not viewed


def _keeps_dtype(node: Node) -> bool:
    """Whether the functional operation gives the dtype of the value that is written into.

    With arguments of several dtypes, it would give the promoted one, and a write would cast.
    """
    values = [argument.meta["val"] for argument in node.all_input_nodes]
    return all(isinstance(value, Tensor) for value in values) and all(
        torch.result_type(values[0], value) == values[0].dtype for value in values
    )


def _rename(node: Node) -> None:
    """Replace an operation that may write, or may give a view or not, by one that says which."""
    if node.op != "call_function":
        return
    name = aten_name(node)
    base, _, overload = name.partition(".")
    if name == "batch_norm":
        node.args = (*node.args[:-1], False)  # cudnn_enabled, as run_decompositions sets it
    elif name in _DROPOUTS or base == "contiguous":
        _replace(node, torch.ops.aten.clone.default, node.args[:1])
    elif base == "reshape":
        _replace(node, torch.ops.aten.view.default, node.args)
    elif base in ("flatten", "unflatten"):
        _replace(node, torch.ops.aten.view.default, (node.args[0], _sizes(node)))
    elif base in _LIKE_ANOTHER:
        x, other = node.all_input_nodes[0], node.all_input_nodes[-1]
        sizes = [_size(node, other, dim) for dim in range(len(_shape(other)))]
        _replace(node, _LIKE_ANOTHER[base], (x, sizes))
    elif base == "to":
        _cast(node)
    elif writes_own(node):
        base, _, overload = functional_name(name).partition(".")
        node.target = getattr(getattr(torch.ops.aten, base), overload or "default")


def _replace(node: Node, target: Any, args: Any) -> None:
    node.target, node.args, node.kwargs = target, args, {}


def _cast(node: Node) -> None:
    """Write a cast as a copy of another dtype; one to what a value is as a plain copy."""
    before, after = node.all_input_nodes[0].meta["val"], node.meta["val"]
    changes: dict[str, Any] = {}
    if before.dtype != after.dtype:
        changes["dtype"] = after.dtype
    if before.device != after.device:
        changes["device"] = after.device
    target = torch_private.cast_operation() if changes else torch.ops.aten.clone.default
    _replace(node, target, node.args[:1])
    node.kwargs = changes


def _sizes(node: Node) -> list[Any]:
    """Return the sizes of a value that is flattened or divided, as a view takes them."""
    x, *given = node.args
    rank = len(_shape(x))
    if aten_name(node).startswith("unflatten"):
        first: Any = given[0]
        between: Any = given[1]
        first = last = first % rank
    else:
        dims: Any = (*given, *(0, -1)[len(given) :])
        first, last = (dim % rank for dim in dims)
        flat = node.meta["val"].shape[first]
        between = [flat if isinstance(flat, int) else -1]
    before, after = range(first), range(last + 1, rank)
    return [*(_size(node, x, i) for i in before), *between, *(_size(node, x, i) for i in after)]


def _size(node: Node, x: Any, dim: int) -> Any:
    """Return a size of a value that a node reads: a number, or the node that computes it."""
    size = _shape(x)[dim]
    if isinstance(size, int):
        return size
    graph, symbol = node.graph, exported_sizes.symbol_of(size)
    inputs = graph.find_nodes(op="placeholder")
    places = [(one, i) for one in inputs for i, s in enumerate(_shape(one)) if _is(s, symbol)]
    for known in graph.find_nodes(op="call_function", target=_SIZE):
        if known.args in places:
            return known
    at, after = (places[0], inputs[-1]) if places else ((x, dim), x)
    with graph.inserting_after(after):
        read = graph.call_function(_SIZE, at)
    read.meta["val"] = size
    return read


def _is(size: Any, symbol: Any) -> bool:
    return symbol is not None and exported_sizes.symbol_of(size) == symbol


def _shape(x: Any) -> tuple[Any, ...]:
    value = x.meta.get("val")
    return tuple(value.shape) if isinstance(value, Tensor) else ()
