"""Exports a model to a Graph, the operations that it runs on a batch.

Takes any module that torch.export can read, and the inputs of a call. Never writes the model.
Knows nothing of rules or relevance.
"""

import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import CaptureError, RelpropError, first_line
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..graph.sizes import Place
from ..support import exported_sizes, torch_messages, torch_private
from ..support.quiet import silenced
from .bound_model import BoundModel
from .failing_place import CodePlace, failing_line, failing_module, running_line, write_line
from .free_sizes import read_sizes
from .from_export import graph_from_export
from .functionalize import functionalize, run_decompositions
from .split_qkv import split_projections

# Largest batch, in samples, for which torch's CUDA batch norm calls its usual kernel; for larger
# ones it calls another. torch.export then reports this limit, though the model has no condition on
# its batch size.
_BATCH_NORM_LIMIT = 65535

_MOST_SECONDS = 20  # of an export with open sizes; beyond it each size is captured by itself

FLEX_TODO = (
    'load the model of transformers with attn_implementation="sdpa", or call '
    "torch.nn.functional.scaled_dot_product_attention in forward"
)


def export_graph(
    model: nn.Module,
    inputs: Inputs,
    output: str | int | None,
    per_input: bool,
    free: Collection[Place] = (),
) -> Graph:
    """Export the operations that `model` runs on a batch like `inputs`.

    Not to be called by two threads at once: torch.export keeps global state.

    Args:
        model: An `isolated_copy` of the user's: while torch.export runs it, other tensors stand in
            the place of its parameters.
        inputs: What the model is called with.
        output: Which of several results is explained: a key, an attribute or an index.
        per_input: Follow Python's `if` and `for` for the numbers in `inputs`. The graph is then
            right for this batch alone.
        free: Sizes that are left open where the model's code does not fix them.

    Raises:
        CaptureError: If torch.export cannot read the model; if the model returns several tensors
            and `output` names none; if what it does depends on the size of the batch.
    """
    traced, sizes = _TracedModel(model, inputs, output), None
    quiet = silenced(torch_messages.EXPORT_WARNINGS, torch_messages.EXPORT_LOGGERS)
    # Gradient mode is on whatever the caller's: without it, some layers run fused operations.
    with quiet, torch.enable_grad():
        try:
            if per_input:
                program = _export_one_batch(traced)
            else:
                with _TimeLimit() if free else nullcontext():
                    program = export_any_batch(traced, free)
                    sizes = read_sizes(program, inputs, free, traced.fixed_by)
                    program = functionalize(program)
        except RelpropError:
            raise
        except Exception as error:
            raise _failure(error, model, inputs) from error
    _refuse_inner_programs(program, type(model).__name__)
    if not per_input:
        _refuse_fixed_sizes(program, type(model).__name__, inputs)
    graph = graph_from_export(program, model, inputs, any_batch=not per_input)
    return split_projections(replace(graph, sizes=sizes))


class _TooLongError(Exception):
    """Ends an export with open sizes that takes too long."""


class _TimeLimit(TorchFunctionMode):
    """Ends an export that takes long: with open sizes, some models take many minutes.

    What torch does with sizes then costs more than linearly, as where windows are cut of pictures
    of any size.
    """

    def __init__(self) -> None:
        super().__init__()
        self._end = time.thread_time() + _MOST_SECONDS  # of this thread: others may run, too

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch's, if there is time left."""
        if time.thread_time() > self._end:
            raise _TooLongError(f"torch.export, which takes over {_MOST_SECONDS} s with open sizes")
        return function(*args, **(kwargs or {}))


class _ForwardError(Exception):
    """Wraps a RuntimeError of the model's forward.

    torch prints the whole graph traced so far to stderr when such an error reaches it. Only stderr
    of the whole process could be redirected, and other threads would lose what they print.
    """


class _TracedModel(BoundModel):
    """A bound model as torch.export runs it."""

    def __init__(self, model: nn.Module, inputs: Inputs, output: str | int | None) -> None:
        super().__init__(model, inputs, output)
        self._watch = exported_sizes.SizeWatch()

    def forward(self, *tensors: Tensor) -> Tensor:
        """Run the model, and wrap a RuntimeError."""
        try:
            with self._watch.on(tensors, running_line):
                return super().forward(*tensors)
        except RuntimeError as error:
            raise _ForwardError from error

    def fixed_by(self, place: Place) -> str:
        """Write the line of code that fixed a size when torch.export ran it; "" if unknown."""
        label, dim = place
        line = self._watch.lines.get((list(self.inputs.tensors).index(label), dim))
        return write_line(line) if line else ""


def export_any_batch(
    traced: BoundModel, free: Collection[Place] = ()
) -> torch.export.ExportedProgram:
    """Export for any batch size, on two copies of the first sample: 1 would be taken as fixed.

    Sizes that are to be free as well stay so unless the model's code fixes them.
    """
    inputs = traced.inputs
    example = inputs.per_sample(lambda t: t.detach()[:1].repeat(2, *[1] * (t.ndim - 1)))
    shapes: list[Any] = []
    for name in inputs.tensors:
        batch = {0: torch.export.Dim.DYNAMIC} if name in inputs.batched else {}
        others = {dim: torch.export.Dim.AUTO for label, dim in free if label == name}
        shapes.append({**batch, **others} or None)
    tensors = tuple(example.tensors.values())
    return torch.export.export(traced, tensors, strict=False, dynamic_shapes=(tuple(shapes),))


def _export_one_batch(traced: BoundModel) -> torch.export.ExportedProgram:
    """Export with real numbers behind the fake tensors: Python's `if` and `for` follow them."""
    tensors = tuple(tensor.detach().clone() for tensor in traced.inputs.tensors.values())
    numbers = {name: parameter.detach() for name, parameter in traced.named_parameters()}

    def set_numbers(module: nn.Module, _: Any) -> None:
        """Copy the parameters into the real tensors, which torch 2.13 leaves uninitialised."""
        for name, parameter in module.named_parameters():
            torch_private.set_real_tensor(parameter, numbers[name])

    traced.register_forward_pre_hook(set_numbers)
    with torch_private.real_tensors_beside_fakes():
        program = torch.export.export(traced, tensors, strict=False)
        return run_decompositions(program)


def _refuse_inner_programs(program: torch.export.ExportedProgram, name: str) -> None:
    """Refuse an operation that runs programs of its own, such as the branches of torch.cond."""
    for held in program.graph.find_nodes(op="get_attr"):
        for node in held.users:
            caller, operation = torch_private.calling_module(node), str(node.target)
            path = caller.path.removeprefix("model").removeprefix(".") if caller else ""
            place = f', in "{path}",' if path else ""
            raise CaptureError(
                f"{name}{place} calls {operation}, which runs functions that it is given",
                "operations on tensors alone",
                FLEX_TODO
                if operation == "flex_attention"
                else "write torch.where for torch.cond, "
                "and Python's for in the place of torch's loops over functions",
            )


def _refuse_fixed_sizes(program: torch.export.ExportedProgram, name: str, inputs: Inputs) -> None:
    """Refuse a program that torch.export found to be right for some batch sizes only."""
    for lower, upper in exported_sizes.batch_size_ranges(program, inputs.has_batch):
        harmless = upper == _BATCH_NORM_LIMIT and _normalises_on_cuda(program)
        if (upper is not None and not harmless) or lower > 2:
            sizes = f"of at least {lower}" if upper is None else f"of {lower} to {upper}"
            table = _sliced_by_batch(program, upper)
            why = f': it reads as many rows of "{table}" as there are samples' if table else ""
            raise CaptureError(
                f"{name} does one thing for a batch {sizes} and another beyond{why}",
                "a model that does the same for a batch of any size",
                f'read "{table}" by x.shape[1] if its rows are for positions'
                if table
                else "take the condition on x.shape[0] out of forward",
            )


def _sliced_by_batch(program: torch.export.ExportedProgram, rows: int | None) -> str:
    """Name the parameter or buffer of which a slice as long as the batch is read; "" if none is."""
    interface = program.graph_signature
    paths = {**interface.inputs_to_parameters, **interface.inputs_to_buffers}
    for node in program.graph.find_nodes(op="placeholder"):
        names = {user: torch_private.operation_name(user.target) for user in node.users}
        readers = [user for user, name in names.items() if name and name.name == "slice"]
        if rows in node.meta["val"].shape and any(len(r.all_input_nodes) > 1 for r in readers):
            return str(paths.get(node.name, "")).removeprefix("model.")
    return ""


def _normalises_on_cuda(program: torch.export.ExportedProgram) -> bool:
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    norms = [node for node in calls if "batch_norm" in str(node.target)]
    return any(node.args[0].meta["val"].device.type == "cuda" for node in norms)


def _failure(error: Exception, model: nn.Module, inputs: Inputs) -> CaptureError:
    """Explain why torch.export failed, in the one line of its message that says so."""
    if isinstance(error, _TooLongError):
        return CaptureError(str(error), "sizes that stay as they are", "give inputs of one size")
    if isinstance(error, _ForwardError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if isinstance(error, (AttributeError, ImportError)):
        torch_private.probe()
    name, shape = type(model).__name__, tuple(inputs.first.shape)
    dtype = "" if inputs.first.is_floating_point() else f" and dtype {inputs.first.dtype}"
    module, line = failing_module(error, model), failing_line(error)
    at = f" (at {line})" if line else ""
    reason = torch_messages.without_symbols(first_line(error))
    given = f"{name}{module} on an input of shape {shape}{dtype}: {reason}{at}"
    if torch_messages.is_flex_attention(error):
        return CaptureError(f"{given}; this is flex_attention", "another attention", FLEX_TODO)
    if torch_messages.fixes_a_size(error):
        return CaptureError(
            f"{name} works for one batch size only: its code fixes the batch size{at}",
            "a model that takes any batch size",
            "write x.flatten(1) or x.view(x.shape[0], -1) where forward writes the batch size out; "
            "x.shape[0], not len(x)",
        )
    if torch_messages.depends_on_values(error):
        allowed = "a model whose operations do not depend on the values of its input"
        return CaptureError(given, allowed, _instead_of_condition(line))
    if isinstance(error, StopIteration) and line is None:
        return CaptureError(
            f"{given}: torch.export fails on a tensor that forward reads in conditions alone",
            "parameters and buffers in conditions",
            "keep this tensor by self.register_buffer; write h.detach() for h.data; "
            "of an ODE solver take one with fixed steps",
        )
    if torch_messages.reads_data(error):
        return CaptureError(
            f"{name}{module} on an input of shape {shape}{dtype}: forward reads what it computes "
            "past torch's operations, as by h.data",
            "values that operations pass on to one another",
            "write h.detach() for h.data",
        )
    return CaptureError(
        given,
        "a model that torch.export can read",
        "write forward in torch's operations alone, without x.numpy() or autograd; torch says more "
        "in torch.export.export(model, (x,), strict=False)",
    )


def _instead_of_condition(line: CodePlace | None) -> str:
    """Say what to do about a condition on values, which may be in code that is not the user's."""
    if line and line.package:
        return (
            f"choose what needs no such condition in {line.package}'s own code: another option of "
            "it, such as a solver with fixed steps, or none"
        )
    return "take Python's if and for over tensor values out of forward (torch.where instead)"
