"""Translates a program of torch.export's to a Graph.

Takes an ExportedProgram of a `BoundModel`, which holds the user's model as its attribute "model".
Knows nothing of rules or relevance.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..graph.inputs import Inputs
from ..graph.ir import Einsum, Graph, Item, Node, Ref
from ..support import exported_sizes, torch_private

# Beginnings of the names of operations that only check sizes. Nothing reads their results.
_CHECKS = ("_assert", "sym_constrain", "_check")


def graph_from_export(
    program: torch.export.ExportedProgram, model: nn.Module, inputs: Inputs, any_batch: bool
) -> Graph:
    """Translate an exported program to a graph.

    Args:
        program: What torch.export returned, without in-place operations.
        model: The model inside the `BoundModel` that was exported.
        inputs: What it was called with.
        any_batch: Whether the program is right for any number of samples.
    """
    interface = program.graph_signature
    state = {**interface.inputs_to_parameters, **interface.inputs_to_buffers}
    lifted = interface.inputs_to_lifted_tensor_constants
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    calls = [call for call in calls if not _operation(call.target).startswith(_CHECKS)]
    calls = _without_whole_slices(calls, outputs=set(map(str, interface.user_outputs)))
    bases = _torch_classes(model)
    opened = exported_sizes.open_symbols(program, inputs.has_batch)
    nodes = [part for call in calls for part in _split(_node(call, bases, opened))]
    names = dict(zip(inputs.tensors, map(str, interface.user_inputs), strict=True))
    return Graph(
        nodes=_one_result_each(nodes),
        inputs=names,
        explained=tuple(names[label] for label in inputs.explained),
        tokens=tuple(names[n] for n in inputs.explained if not _is_floating(inputs.values[n])),
        output=str(interface.user_outputs[0]),
        state={name: path.removeprefix("model.") for name, path in state.items()},
        constants={name: program.constants[target] for name, target in lifted.items()},
        any_batch=any_batch,
    )


def _without_whole_slices(
    calls: Sequence[torch.fx.Node], outputs: Container[str]
) -> list[torch.fx.Node]:
    """Leave out slices that take all there is, and writes to all there is, whatever the sizes.

    torch leaves them out itself where it knows the number of a size. With sizes that are open, the
    graph would have more operations than one of these sizes alone.
    """
    left = []
    for call in calls:
        copied = None if call.name in outputs else _what_it_copies(call)
        if copied is None:
            left.append(call)
        else:
            call.replace_all_uses_with(copied)
    return left


def _what_it_copies(call: torch.fx.Node) -> torch.fx.Node | None:
    """Return what a slice takes all of, or what is written to all of a value; None for others."""
    index = {"slice": 0, "slice_scatter": 1}.get(_operation(call.target))
    copied: Any = None if index is None else call.args[index]
    # What is as long as a whole, of whatever beginning and steps, is all of it.
    whole = copied and exported_sizes.same_shape(call.meta["val"], copied.meta["val"])
    return copied if whole else None


def _torch_classes(model: nn.Module) -> dict[str, str]:
    """Map the dotted name of each module to the torch.nn class that it is an instance of."""
    return {
        torch_private.name_when_not_compiled(name): next(
            (cls.__name__ for cls in type(module).__mro__ if _is_torch_layer(cls)), ""
        )
        for name, module in model.named_modules(remove_duplicate=False)
    }


def _is_torch_layer(cls: type) -> bool:
    return cls is not nn.Module and getattr(nn, cls.__name__, None) is cls


def _node(call: torch.fx.Node, bases: Mapping[str, str], opened: frozenset[Any]) -> Node:
    """Translate one call, and normalise operations that torch has several forms of."""
    module, kind, count = _module(call)
    target: Any = call.target
    value = call.meta.get("val")
    args = _with_refs(call.args)
    operation = _operation(target)
    if operation == "einsum":
        target, args = Einsum(target), (args[0], *args[1])
    # A product with a matrix is the same linear layer in every leading dimension.
    if operation == "matmul" and _ndim(call.args[0]) >= 2 == _ndim(call.args[1]):
        operation = "mm"
    # What is known of an operation, such as its sign, holds for real numbers alone.
    if any(map(_is_complex, call.all_input_nodes)):
        operation = f"complex_{operation}"
    # A view depends on strides, and those in a program need not be those of the model's run.
    if operation in ("view", "_unsafe_view"):
        target = torch.ops.aten.reshape.default
    # Dropout that is off is exported as a copy. No operation writes, so that no copy is needed.
    if operation == "clone" and not call.kwargs:
        target = torch.ops.aten.alias.default
    # The value that is copied into counts by its shape alone.
    if operation == "copy":
        operation, target, args = "expand_as", torch.ops.aten.expand_as.default, (args[1], args[0])
    return Node(
        name=call.name,
        operation=operation,
        target=target,
        args=args,
        kwargs=_with_refs(call.kwargs),
        module=module,
        type=kind,
        call=count,
        shape=_shape(value, opened),
        floating=_is_floating(value),
        merged=isinstance(value, Tensor) and any(_is_product(size, opened) for size in value.shape),
        base=bases.get(module, "") if kind else "",
    )


def _split(node: Node) -> tuple[Node, ...]:
    """Split operations that consist of several: a variance, a gated linear unit."""
    splits = {"glu": _gated, "var": _squared}
    return splits[node.operation](node) if node.operation in splits else (node,)


def _squared(node: Node) -> tuple[Node, ...]:
    """Write a variance as the square of a standard deviation, which scales with its input."""
    root, square = Ref(f"{node.name}_root"), torch.ops.aten.square.default
    name = torch_private.operation_name(node.target)
    target = getattr(torch.ops.aten.std, name.overload if name else "default")
    return (
        replace(node, name=root.name, operation="std", target=target),
        replace(node, operation="square", target=square, args=(root,), kwargs={}),
    )


def _gated(node: Node) -> tuple[Node, ...]:
    """Write a gated linear unit as the product of one half and a sigmoid of the other."""
    value, half, gate = (Ref(f"{node.name}_{part}") for part in ("value", "half", "gate"))
    sigmoid, times = torch.ops.aten.sigmoid.default, torch.ops.aten.mul.Tensor
    return (
        _half(node, value.name, 0),
        _half(node, half.name, 1),
        replace(node, name=gate.name, operation="sigmoid", target=sigmoid, args=(half,)),
        replace(node, operation="mul", target=times, args=(value, gate)),
    )


def _half(node: Node, name: str, which: int) -> Node:
    x, dim = (*node.args, -1)[:2]
    target = Item(torch.ops.aten.chunk.default, which)
    args = (x, 2, dim)
    return replace(node, name=name, operation="chunk", target=target, args=args, item=which)


def _ndim(value: Any) -> int:
    return value.meta["val"].ndim if isinstance(value, torch.fx.Node) else 0


def _module(call: torch.fx.Node) -> tuple[str, str, int]:
    """Return dotted name and class name of the module that ran it, and its number of that call."""
    caller = torch_private.calling_module(call)
    if caller is None:
        return "", "", 0
    path = caller.path.removeprefix("model").removeprefix(".")
    return torch_private.name_when_not_compiled(path), caller.type, caller.call


def _operation(target: Any) -> str:
    packet = getattr(target, "overloadpacket", None)
    return str(packet or getattr(target, "__name__", target)).rpartition(".")[2]


def _shape(value: Any, opened: frozenset[Any]) -> tuple[int | None, ...]:
    """Return a shape; sizes that other sizes than the batch's decide are those of the capture."""
    if not isinstance(value, Tensor):
        return ()
    return tuple(_size(size, opened) for size in value.shape)


def _size(size: Any, opened: frozenset[Any]) -> int | None:
    follows_batch = exported_sizes.symbols_in(size) - opened
    return None if follows_batch else exported_sizes.size_when_exported(size)


def _is_product(size: Any, opened: frozenset[Any]) -> bool:
    """Whether a size is the batch size times something else."""
    symbols = exported_sizes.symbols_in(size)
    return bool(symbols - opened) and exported_sizes.symbol_of(size) is None


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _is_complex(call: torch.fx.Node) -> bool:
    value = call.meta.get("val")
    return isinstance(value, Tensor) and value.is_complex()


def _with_refs(value: Any) -> Any:
    if isinstance(value, torch.fx.Node):
        return Ref(value.name)
    if isinstance(value, (list, tuple)):
        return type(value)(_with_refs(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_refs(item) for key, item in value.items()}
    return value


def _one_result_each(nodes: list[Node]) -> tuple[Node, ...]:
    """Replace an operation with several results by one operation for each result that is used."""
    by_name = {node.name: node for node in nodes}
    several = {node.inputs[0] for node in nodes if node.operation == "getitem"}
    return tuple(
        _item(by_name[node.inputs[0]], node) if node.operation == "getitem" else node
        for node in nodes
        if node.name not in several
    )


def _item(operation: Node, item: Node) -> Node:
    """Write one result of an operation as an operation of its own."""
    index = item.args[1]
    changed = replace(
        item,
        operation=operation.operation,
        args=operation.args,
        kwargs=operation.kwargs,
        module=operation.module,
        type=operation.type,
        call=operation.call,
        item=index,
        base=operation.base,
    )
    if operation.operation != "_native_batch_norm_legit_no_training":
        return replace(changed, target=Item(operation.target, index))
    x, weight, bias, mean, variance, momentum, eps = operation.args
    return replace(
        changed,
        operation="batch_norm",
        target=torch.ops.aten.batch_norm.default,
        args=(x, weight, bias, mean, variance, False, momentum, eps, False),
        item=None,
    )
