"""Functional: a program of torch.export's, made to write into no value.

torch's own way runs the whole model again. It is enough to rename operations where all that writes
are such as relu_, on a value that nothing else shares the memory of. Only operations named here are
treated so: those that torch's way, too, leaves as they are. A program with any other goes its way.
"""

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Graph, Node

_MEMORY = {
    # What they give has memory of its own.
    "own": "conv1d conv2d conv3d conv_transpose2d.input linear batch_norm layer_norm group_norm "
    "relu hardtanh silu hardswish hardsigmoid sigmoid tanh gelu elu leaky_relu add.Tensor "
    "sub.Tensor mul.Tensor div.Tensor cat max_pool2d avg_pool2d adaptive_avg_pool2d mean.dim "
    "softmax.int bmm",
    # What they give may share the memory of their first argument.
    "shared": "dropout flatten.using_ints view permute transpose.int unsqueeze squeeze.dim "
    "select.int slice.Tensor",
}
_OWN, _SHARED = (frozenset(names.split()) for names in _MEMORY.values())
_SIZE = "sym_size.int"


def functionalize(program: ExportedProgram) -> ExportedProgram:
    """What `program` does, with nothing that writes. The one given is not to be used any more."""
    graph = program.graph
    if not can_rename(graph):
        return program.run_decompositions({})  # type: ignore[no-any-return]
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.flatten.using_ints):
        _make_view(node)
    for node in graph.nodes:
        _rename(node)
    graph.eliminate_dead_code()
    return program


def can_rename(graph: Graph) -> bool:
    """Whether all operations are known, and each that writes has a value to itself."""
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    return all(map(_is_known, nodes[:-1])) and _write_apart(nodes)


def _write_apart(nodes: list[Node]) -> bool:
    """Whether what is written into has no other name, and nothing reads what was there before."""
    memory: dict[Node, str] = {}
    for node in nodes:
        first, name = node.all_input_nodes[0], _name(node)
        if any(memory.get(argument) == "past" for argument in node.all_input_nodes):
            return False
        if _writes(node):
            if memory.get(first) not in ("own", "written") or not _is_of_one_dtype(node):
                return False
            memory.update({first: "past", node: "written"})
        elif name in _SHARED:
            if memory.get(first) == "written" and name != "dropout":
                return False  # torch's way loses which module takes a view of it
            memory[first] = "shared"
        elif name in _OWN:
            memory[node] = "own"
    return True


def _name(node: Node) -> str:
    """Such as "relu" or "add.Tensor"; "" for what is none of torch's operations."""
    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
        return ""
    return str(node.target).removeprefix("aten.").removesuffix(".default")


def _is_known(node: Node) -> bool:
    name, args = _name(node), node.args
    if name == "batch_norm":  # by statistics of the batch, it would write them down
        return len(args) == 9 and args[5] is False and None not in (args[3], args[4])
    if name == "dropout":
        return len(args) == 3 and args[2] is False
    if name == "flatten.using_ints":
        return _flat_sizes(node) is not None
    return name in _OWN | _SHARED | {_SIZE} or _writes(node)


def _writes(node: Node) -> bool:
    return _plain(_name(node)) in _OWN


def _plain(name: str) -> str:
    """The name of the operation that gives what this one writes; "" if this one does not write."""
    base, dot, overload = name.partition(".")
    return base.removesuffix("_") + dot + overload if base.endswith("_") else ""


def _is_of_one_dtype(node: Node) -> bool:
    """Whether its result has the dtype of what it writes into if it does not write."""
    values = [argument.meta["val"] for argument in node.all_input_nodes]
    if not all(isinstance(value, Tensor) and value.is_floating_point() for value in values):
        return False
    return len({value.dtype for value in values}) == 1


def _flat_sizes(node: Node) -> list[Any] | None:
    """Sizes of a flattened value as a view has them, but for samples, which come first.

    None if it is not samples that come first, or if its entries do not lie in order.
    """
    args: tuple[Any, ...] = node.args
    value, start = args[0].meta["val"], args[1] if len(args) > 1 else 0
    end = args[2] if len(args) > 2 else -1
    if end != -1 or not 0 < start < value.ndim - 1 or _samples(node) is None:
        return None
    sizes, steps = value.shape[1:], value.stride()[1:]
    if not all(isinstance(number, int) for number in (*sizes, *steps)):
        return None
    merged = list(zip(sizes, steps, strict=True))[start - 1 :]
    merged = [(size, step) for size, step in merged if size != 1]
    if any(step != size * below for (_, step), (size, below) in pairwise(merged)):
        return None
    return [*sizes[: start - 1], prod(sizes[start - 1 :])]


def _samples(node: Node) -> Node | None:
    """The node that counts an operation's samples, or the input that has as many; None if none."""
    count = node.all_input_nodes[0].meta["val"].shape[0]
    counting = [other for other in node.graph.nodes if _name(other) == _SIZE]
    inputs = node.graph.find_nodes(op="placeholder")
    found = [n for n in counting if _same(n.meta["val"], count)]
    found += [n for n in inputs if any(_same(size, count) for size in _sizes(n)[:1])]
    return found[0] if found else None


def _sizes(node: Node) -> tuple[Any, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _same(size: Any, other: Any) -> bool:
    """Whether two sizes are one that follows the batch."""
    symbols = [s.node.expr for s in (size, other) if isinstance(s, torch.SymInt)]
    return len(symbols) == 2 and symbols[0].is_Symbol and symbols[0] == symbols[1]


def _make_view(node: Node) -> None:
    """A flattened value as a view, for whose sizes the samples are counted."""
    samples, sizes, graph = _samples(node), _flat_sizes(node), node.graph
    assert samples is not None
    assert sizes is not None
    if samples.op == "placeholder":
        with graph.inserting_after(graph.find_nodes(op="placeholder")[-1]):
            counted = graph.call_function(torch.ops.aten.sym_size.int, (samples, 0))
        counted.meta["val"] = samples.meta["val"].shape[0]
        samples = counted
    node.target = torch.ops.aten.view.default
    node.args = (node.args[0], [samples, *sizes])


def _rename(node: Node) -> None:
    """Another operation in the place of one that may write, or share memory where it need not."""
    if node.op != "call_function":
        return
    name = _name(node)
    if name == "batch_norm":
        node.args = (*node.args[:-1], False)  # as torch's way does: it asks for no library
    elif name == "dropout":
        node.target, node.args = torch.ops.aten.clone.default, node.args[:1]
    elif _writes(node):
        base, _, overload = _plain(name).partition(".")
        node.target = getattr(getattr(torch.ops.aten, base), overload or "default")
