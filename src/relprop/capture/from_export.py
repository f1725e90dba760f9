"""Reading: what torch.export returned -> Graph.

Takes an ExportedProgram of a `BoundModel` model, whose names all begin with "model.".
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..graph.inputs import Inputs
from ..graph.ir import Einsum, Graph, Item, Node, Ref

# They check or note sizes, and nothing reads what they return.
_REMARKS = ("_assert", "sym_constrain", "_check")


def graph_from_export(
    program: torch.export.ExportedProgram, inputs: Inputs, any_batch: bool
) -> Graph:
    """The graph of a model that was called with `inputs`."""
    interface = program.graph_signature
    state = {**interface.inputs_to_parameters, **interface.inputs_to_buffers}
    lifted = interface.inputs_to_lifted_tensor_constants
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    calls = [call for call in calls if not _operation(call.target).startswith(_REMARKS)]
    names = dict(zip(inputs.tensors, map(str, interface.user_inputs), strict=True))
    return Graph(
        nodes=_one_result_each([part for call in calls for part in _parts(_node(call))]),
        inputs=names,
        explained=tuple(names[label] for label in inputs.explained),
        tokens=tuple(names[n] for n in inputs.explained if not _floating(inputs.values[n])),
        output=str(interface.user_outputs[0]),
        state={name: path.removeprefix("model.") for name, path in state.items()},
        constants={name: program.constants[target] for name, target in lifted.items()},
        any_batch=any_batch,
    )


def _node(call: torch.fx.Node) -> Node:
    module, kind, count = _place(call)
    target: Any = call.target
    value = call.meta.get("val")
    args = _with_refs(call.args)
    operation = _operation(target)
    if operation == "einsum":
        target, args = Einsum(target), (args[0], *args[1])
    if operation == "matmul" and _dimensions(call.args[0]) >= 2 == _dimensions(call.args[1]):
        operation = "mm"  # with a matrix, in every leading dimension alike: a linear layer's
    if any(map(_is_complex, call.all_input_nodes)):
        operation = f"complex_{operation}"  # what is known of it holds for real numbers alone
    if operation in ("view", "_unsafe_view"):  # strides need not be those of the model's run
        target = torch.ops.aten.reshape.default
    if operation == "clone" and not call.kwargs:  # no step writes into a value: dropout that is off
        target = torch.ops.aten.alias.default
    if operation == "copy":  # into a value of which only the shape counts
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
        shape=_shape(value),
        floating=_floating(value),
        merged=isinstance(value, Tensor) and any(map(_is_product, value.shape)),
    )


def _parts(node: Node) -> tuple[Node, ...]:
    """What an operation is made of, where that is more than itself: a variance, a square."""
    known = {"glu": _gated, "var": _squared}
    return known[node.operation](node) if node.operation in known else (node,)


def _squared(node: Node) -> tuple[Node, ...]:
    """A variance: of the deviation, which scales with its input, the square."""
    root, square = Ref(f"{node.name}_root"), torch.ops.aten.square.default
    target = getattr(torch.ops.aten.std, getattr(node.target, "_overloadname", "default"))
    return (
        replace(node, name=root.name, operation="std", target=target),
        replace(node, operation="square", target=square, args=(root,), kwargs={}),
    )


def _gated(node: Node) -> tuple[Node, ...]:
    """A gated linear unit: the product of one half and a sigmoid of the other."""
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


def _dimensions(value: Any) -> int:
    return value.meta["val"].ndim if isinstance(value, torch.fx.Node) else 0


def _place(call: torch.fx.Node) -> tuple[str, str, int]:
    """Dotted name and class of the module that ran it, and which call of the module it was."""
    stack = [(k, v) for k, v in (call.meta.get("nn_module_stack") or {}).items() if v]
    if not stack or stack[-1][1][0].startswith("_"):  # torch's own note that there is none
        return "", "", 0
    key, (path, kind) = stack[-1]
    count = str(key).rpartition("@")[2] if "@" in str(key) else "0"
    name = path.removeprefix("model").removeprefix(".")
    kind = kind if isinstance(kind, str) else kind.__name__
    return "" if name.startswith("_") else name, kind.rpartition(".")[2], int(count)


def _operation(target: Any) -> str:
    packet = getattr(target, "overloadpacket", None)
    return str(packet or getattr(target, "__name__", target)).rpartition(".")[2]


def _shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, Tensor):
        return ()
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def _is_product(size: Any) -> bool:
    return not isinstance(size, int) and not size.node.expr.is_Symbol


def _floating(value: Any) -> bool:
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
    """Write each result that is used of an operation as an operation that gives this one alone."""
    makers = {node.name: node for node in nodes}
    several = {node.inputs[0] for node in nodes if node.operation == "getitem"}
    return tuple(
        _item(makers[node.inputs[0]], node) if node.operation == "getitem" else node
        for node in nodes
        if node.name not in several
    )


def _item(maker: Node, item: Node) -> Node:
    index = item.args[1]
    changed = replace(
        item,
        operation=maker.operation,
        args=maker.args,
        kwargs=maker.kwargs,
        module=maker.module,
        type=maker.type,
        call=maker.call,
        item=index,
    )
    if maker.operation != "_native_batch_norm_legit_no_training":
        return replace(changed, target=Item(maker.target, index))
    x, weight, bias, mean, variance, momentum, eps = maker.args
    return replace(
        changed,
        operation="batch_norm",
        target=torch.ops.aten.batch_norm.default,
        args=(x, weight, bias, mean, variance, False, momentum, eps, False),
        item=None,
    )
