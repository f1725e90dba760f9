"""Capture: a model and what it is called with -> Graph, the operations that the model runs.

Takes any module that torch.export can read, and a batch. The model is read and never written.
Knows nothing of rules or relevance.
"""

import copy
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config
from torch.utils._python_dispatch import _disable_current_modes

from ..errors import CaptureError, first_line
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from .from_export import graph_from_export
from .functionalize import functionalize
from .split_qkv import split_projections

_KERNELS_TURN = 65535  # samples: beyond, torch takes another CUDA kernel for the same batch norm


def export_graph(
    model: nn.Module, inputs: Inputs, output: str | int | None, per_input: bool
) -> Graph:
    """Read the operations that `model` runs on a batch like `inputs`.

    model      an `isolated_copy`: while torch.export reads it, other tensors stand in its place
    output     which of several results: a key, an attribute or an index
    per_input  follow Python's if and for for these very numbers: right for this batch alone
    Not to be run by two threads at once: torch.export keeps global state.
    Raises CaptureError when torch.export cannot read the model, when it returns several tensors
    and none is chosen, and when what it does depends on the size of the batch.
    """
    called = BoundModel(model, inputs, output)
    printed = io.StringIO()  # torch prints the whole graph of a model that it fails on
    with _quiet_export(), _whole_attention(), torch.enable_grad():
        try:
            with redirect_stderr(printed):
                program = _follow(called) if per_input else functionalize(_export(called))
        except CaptureError:
            raise
        except Exception as error:
            raise _explain_failure(error, model, inputs) from error
    sys.stderr.write(printed.getvalue())
    if not per_input:
        _refuse_fixed_sizes(program, type(model).__name__)
    return split_projections(graph_from_export(program, inputs, any_batch=not per_input))


class BoundModel(nn.Module):
    """A model with the plain values of a call filled in, so that tensors are all that is left."""

    def __init__(self, model: nn.Module, inputs: Inputs, output: str | int | None) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs
        self.output = output

    def forward(self, *tensors: Tensor) -> Tensor:
        """The one tensor of the model's result that is explained."""
        given = dict(zip(self.inputs.tensors, tensors, strict=True))
        positional, named = self.inputs.arranged({**self.inputs.values, **given})
        chosen = select_output(self.model(*positional, **named), self.output)
        if not chosen.is_floating_point() and not chosen.is_complex():
            raise CaptureError(
                f"the model returns a tensor of dtype {chosen.dtype}",
                "floating point scores, which relevance can be taken of",
                "return the scores themselves: leave out argmax, round or the comparison with 0",
            )
        return chosen


def select_output(result: Any, output: str | int | None) -> Tensor:
    """One tensor of what a model returned. Raises CaptureError if it is not clear which."""
    if isinstance(result, Tensor) and output is None:
        return result
    found = _named_tensors(result)
    if output is None and len(found) == 1:
        return next(iter(found.values()))
    wanted = "logits" if output is None else output
    if wanted in found:
        return found[wanted]
    names = ", ".join(repr(name) for name in found)
    first = next(iter(found), None)
    raise CaptureError(
        f"the model returns {len(found)} tensors"
        + (f", none of them {output!r}" if output is not None else "")
        + ("" if found else f": {_described(result)}"),
        f"one of {names}" if found else "a model that returns a tensor, or a flat tuple or dict",
        f"say which: Explainer(model, output={first!r})"
        if found
        else "wrap the model in a module whose forward returns the one tensor to explain",
    )


def _described(result: Any) -> str:
    """A result by its types, as messages name it."""
    if isinstance(result, Mapping):
        return "a dict with " + ", ".join(f"{k!r}: {type(v).__name__}" for k, v in result.items())
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of " + ", ".join(type(v).__name__ for v in result)
    return "None" if result is None else f"a {type(result).__name__}"


def _named_tensors(result: Any) -> dict[str | int, Tensor]:
    if isinstance(result, Mapping):
        items: dict[str | int, Any] = dict(result)
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        items = dict(zip(result._fields, result, strict=True))
    else:
        items = dict(enumerate(result)) if isinstance(result, (tuple, list)) else {0: result}
    return {name: value for name, value in items.items() if isinstance(value, Tensor)}


def _export(called: BoundModel) -> torch.export.ExportedProgram:
    inputs = called.inputs
    example = inputs.per_sample(lambda t: t.detach()[:1].repeat(2, *[1] * (t.ndim - 1)))
    batch: Any = {0: torch.export.Dim.DYNAMIC}  # a batch of 1 would be taken as fixed
    shapes = tuple(batch if name in inputs.batched else None for name in inputs.tensors)
    tensors = tuple(example.tensors.values())
    return torch.export.export(called, tensors, strict=False, dynamic_shapes=(shapes,))


def _follow(called: BoundModel) -> torch.export.ExportedProgram:
    """Export with numbers beside the shapes, so that Python's `if` and `for` know where to go."""
    tensors = tuple(tensor.detach().clone() for tensor in called.inputs.tensors.values())
    numbers = {name: parameter.detach() for name, parameter in called.named_parameters()}

    def fill(module: nn.Module, _: Any) -> None:
        """Torch 2.13 leaves the numbers beside parameters as they happen to lie in memory."""
        with _disable_current_modes():
            for name, parameter in module.named_parameters():
                parameter.real_tensor.copy_(numbers[name])  # type: ignore[attr-defined]

    called.register_forward_pre_hook(fill)
    with functorch_config.patch(fake_tensor_propagate_real_tensors=True):
        program = torch.export.export(called, tensors, strict=False)
        return program.run_decompositions({})  # type: ignore[no-any-return]


def _refuse_fixed_sizes(program: torch.export.ExportedProgram, name: str) -> None:
    """torch.export notes for which batch sizes what it read is true."""
    for sizes in program.range_constraints.values():
        of_a_kernel = sizes.upper == _KERNELS_TURN and _normalises_on_cuda(program)
        if (sizes.upper.is_Integer and not of_a_kernel) or sizes.lower > 2:
            raise CaptureError(
                f"{name} does one thing for a batch of {sizes.lower} to {sizes.upper} and another "
                "beyond",
                "a model that does the same for a batch of any size",
                "take the condition on x.shape[0] out of forward",
            )


def _normalises_on_cuda(program: torch.export.ExportedProgram) -> bool:
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    norms = [node for node in calls if "batch_norm" in str(node.target)]
    return any(node.args[0].meta["val"].device.type == "cuda" for node in norms)


def isolated_copy(model: nn.Module) -> nn.Module:
    """A copy that shares the model's parameters but those that forward writes, and nothing else.

    While torch.export reads a model, it puts other tensors in the place of its parameters, which
    other threads would see, and runs its forward, which may note things on the model.
    """
    tensors: dict[int, Tensor] = {id(parameter): parameter for parameter in model.parameters()}
    for module in model.modules():
        own = [*module.buffers(recurse=False), *vars(module).values()]
        if getattr(module, "max_norm", None) is not None:  # an embedding that scales its rows
            own += module.parameters(recurse=False)
        tensors.update({id(value): _copied(value) for value in own if isinstance(value, Tensor)})
    try:
        copied = copy.deepcopy(model, tensors)
    except Exception as error:
        raise CaptureError(
            f"{type(model).__name__} cannot be copied: {first_line(error)}",
            "a model that copy.deepcopy can copy",
            "take locks, open files, generators and tensors with a history out of its attributes",
        ) from error
    _untie(copied)
    return copied


def _untie(model: nn.Module) -> None:
    """Parameters that modules share become one for each, in the same memory.

    torch.export has one name for both, so that it would not be seen when one gets another tensor.
    """
    known: set[int] = set()
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and id(parameter) in known:
                own = nn.Parameter(parameter.detach(), requires_grad=parameter.requires_grad)
                setattr(module, name, own)
            known.add(id(parameter))


def _copied(tensor: Tensor) -> Tensor:
    new = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new.requires_grad_(tensor.requires_grad)


@contextmanager
def _whole_attention() -> Iterator[None]:
    """Have torch's own transformer layers run the operations that they are made of."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


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


def _explain_failure(error: Exception, model: nn.Module, inputs: Inputs) -> CaptureError:
    name, shape = type(model).__name__, tuple(inputs.first.shape)
    reason = first_line(error)
    what = (
        f"shape {shape}"
        if inputs.first.is_floating_point()
        else (f"shape {shape} and dtype {inputs.first.dtype}")
    )
    given = f"{name}{_place(error, model)} on an input of {what}: {reason}"
    if "specialized it to be a constant" in str(error):
        return CaptureError(
            f"{name} works for one batch size only: its code fixes the batch size",
            "a model that takes any batch size",
            "write x.flatten(1) or x.view(x.shape[0], -1) where forward writes the batch size out; "
            "x.shape[0], not len(x)",
        )
    if "data-dependent" in str(error) or "torch.export" in reason:
        return CaptureError(
            given,
            "a model whose operations do not depend on the values of its input",
            "take Python's if and for over tensor values out of forward (torch.where instead), "
            'or have it read anew for each input: Explainer(model, capture="per-input")',
        )
    whole = (
        "" if inputs.first.is_floating_point() else "; write x.float() if these are no token ids"
    )
    return CaptureError(
        given,
        "an input that the model itself accepts: (batch, *features)",
        f"check that model(x) runs; the reason above is torch's{whole}",
    )


def _place(error: Exception, model: nn.Module) -> str:
    """The innermost module of the model that was running when the error arose, by its name."""
    names = {id(module): name for name, module in model.named_modules() if name}
    place, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_locals.get("self")
        place = names.get(id(module), place)
        trace = trace.tb_next
    return f', in "{place}",' if place else ""
