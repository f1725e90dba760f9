"""Capture: a model and an example input -> Graph, the operations that the model runs.

Takes any module that torch.export can read, and a batch. The model is read and never written.
Knows nothing of rules or relevance.
"""

import copy
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CaptureError


@dataclass(frozen=True)
class Ref:
    """A reference to the value that the node of this name makes."""

    name: str


@dataclass(frozen=True)
class Node:
    """One operation of the model.

    operation   torch's name of it, such as "conv2d" or "relu"
    args        its arguments; a value that another node makes stands there as a Ref
    module      dotted name of the module that ran it, "" for the model itself
    shape       of its result, None where it follows the batch size; () if it is not a tensor
    floating    whether its result is a tensor of floating point numbers
    """

    name: str
    operation: str
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    module: str
    shape: tuple[int | None, ...]
    floating: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values that it takes, each once, in order of appearance."""
        return tuple(dict.fromkeys(ref.name for ref in _refs((self.args, dict(self.kwargs)))))

    @property
    def where(self) -> str:
        """How messages name it: its module and its operation."""
        return f'"{self.module}" ({self.operation})' if self.module else f"{self.operation}"


@dataclass(frozen=True)
class Graph:
    """What a model computes: functional operations in the order in which they run.

    state      value name -> dotted name of the parameter or buffer, looked up in the model when run
    constants  value name -> tensor that the model's code holds outside parameters and buffers
    """

    nodes: tuple[Node, ...]
    input: str
    output: str
    state: Mapping[str, str]
    constants: Mapping[str, Tensor]

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the output, None where it follows the batch size."""
        return next((node.shape for node in self.nodes if node.name == self.output), ())


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """The same arguments with each Ref replaced by the value of its name."""
    if isinstance(value, Ref):
        return values[value.name]
    if isinstance(value, (list, tuple)):
        return type(value)(substitute(item, values) for item in value)
    return value


def capture(model: nn.Module, x: Tensor) -> Graph:
    """Read the operations that `model` runs on a batch like `x`.

    model  a `twin` of the user's: while torch.export reads it, other tensors stand in its place
    x      (batch, *features)
    Not to be run by two threads at once: torch.export keeps global state.
    Raises CaptureError when torch.export cannot read the model, when it returns several tensors,
    and when what it does depends on the size of the batch.
    """
    example = x.detach()[:1].repeat(2, *[1] * (x.ndim - 1))  # a batch of 1 would be taken as fixed
    batch: Any = {0: torch.export.Dim.DYNAMIC}
    kinds = [parameter.kind for parameter in signature(model.forward).parameters.values()]
    shapes = ((batch,),) if kinds[:1] == [Parameter.VAR_POSITIONAL] else (batch,)
    with _quiet_export():
        try:
            program = torch.export.export(model, (example,), strict=False, dynamic_shapes=shapes)
            program = program.run_decompositions({})
        except Exception as error:
            raise _explain_failure(error, model, x) from error
    _refuse_fixed_sizes(program, type(model).__name__)
    return _read(program)


def _refuse_fixed_sizes(program: torch.export.ExportedProgram, name: str) -> None:
    """torch.export notes for which batch sizes what it read is true."""
    for sizes in program.range_constraints.values():
        if sizes.upper.is_Integer or sizes.lower > 2:
            raise CaptureError(
                f"{name} does one thing for a batch of {sizes.lower} to {sizes.upper} and another "
                "beyond",
                "a model that does the same for a batch of any size",
                "take the condition on x.shape[0] out of forward",
            )


def twin(model: nn.Module) -> nn.Module:
    """A copy that shares the model's tensors.

    While torch.export reads a model, it puts other tensors in the place of its parameters, which
    other threads would see, and runs its forward, which may note things on the model.
    """
    tensors = [*model.parameters(), *model.buffers()]
    attributes = (value for module in model.modules() for value in vars(module).values())
    tensors += [value for value in attributes if isinstance(value, Tensor)]
    try:
        return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
    except Exception as error:
        raise CaptureError(
            f"{type(model).__name__} cannot be copied: {_first_line(error)}",
            "a model that copy.deepcopy can copy",
            "take locks, open files, generators and tensors with a history out of its attributes",
        ) from error


def _read(program: torch.export.ExportedProgram) -> Graph:
    interface = program.graph_signature
    if len(interface.user_outputs) != 1:
        raise CaptureError(
            f"the model returns {len(interface.user_outputs)} tensors",
            "one tensor of shape (batch, classes)",
            "wrap the model in a module whose forward returns the class scores alone",
        )
    state = {**interface.inputs_to_parameters, **interface.inputs_to_buffers}
    names = {**interface.inputs_to_lifted_tensor_constants}
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return Graph(
        nodes=_one_result_each([_node(call) for call in calls]),
        input=str(interface.user_inputs[0]),
        output=str(interface.user_outputs[0]),
        state=state,
        constants={name: program.constants[target] for name, target in names.items()},
    )


def _node(call: torch.fx.Node) -> Node:
    stack = [entry for entry in (call.meta.get("nn_module_stack") or {}).values() if entry]
    module = stack[-1][0] if stack else ""
    target: Any = call.target
    value = call.meta.get("val")
    return Node(
        name=call.name,
        operation=_operation(target),
        target=target,
        args=_with_refs(call.args),
        kwargs=_with_refs(call.kwargs),
        module="" if module.startswith("_") else module,
        shape=_shape(value),
        floating=isinstance(value, Tensor) and value.is_floating_point(),
    )


def _operation(target: Any) -> str:
    packet = getattr(target, "overloadpacket", None)
    return str(packet or getattr(target, "__name__", target)).rpartition(".")[2]


def _shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, Tensor):
        return ()
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def _with_refs(value: Any) -> Any:
    if isinstance(value, torch.fx.Node):
        return Ref(value.name)
    if isinstance(value, (list, tuple)):
        return type(value)(_with_refs(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_refs(item) for key, item in value.items()}
    return value


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _refs(item)
    elif isinstance(value, dict):
        yield from _refs(list(value.values()))


@dataclass(frozen=True)
class Item:
    """One result of an operation that returns several, as an operation of its own."""

    target: Callable[..., Any]
    index: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)[self.index]


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
    changed = replace(item, operation=maker.operation, args=maker.args, kwargs=maker.kwargs)
    if maker.operation != "_native_batch_norm_legit_no_training":
        return replace(changed, target=Item(maker.target, index), module=maker.module)
    x, weight, bias, mean, variance, momentum, eps = maker.args
    return replace(
        changed,
        operation="batch_norm",
        target=torch.ops.aten.batch_norm.default,
        args=(x, weight, bias, mean, variance, False, momentum, eps, False),
        module=maker.module,
    )


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Keep torch from printing its own account of a failed export: ours has one line of it."""
    names = (
        *("torch.fx.experimental.symbolic_shapes", "torch._subclasses.fake_tensor"),
        *("torch.export", "torch._dynamo"),
    )
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # torch 2.13 warns of its own use of a class that it is about to retire
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            # and of what forward notes on the model, which is a copy (torch's own LSTM does)
            warnings.filterwarnings("ignore", message=".* assigned during export")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _explain_failure(error: Exception, model: nn.Module, x: Tensor) -> CaptureError:
    reason = _first_line(error)
    given = f"{type(model).__name__} on an input of shape {tuple(x.shape)}: {reason}"
    if "specialized it to be a constant" in str(error):
        return CaptureError(
            f"{type(model).__name__} works for one batch size only: its code fixes the batch size",
            "a model that takes any batch size",
            "write x.flatten(1) or x.view(x.shape[0], -1) where forward writes the batch size out",
        )
    if "data-dependent" in str(error) or "torch.export" in reason:
        allowed = "a model whose operations do not depend on the values of its input"
        todo = "take Python's if and for over tensor values out of forward (torch.where instead)"
        return CaptureError(given, allowed, todo)
    return CaptureError(
        given,
        "an input that the model itself accepts: (batch, *features)",
        "check that model(x) runs; the reason above is torch's",
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[0])[:300] if lines else type(error).__name__
