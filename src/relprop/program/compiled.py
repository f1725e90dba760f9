"""A program's forward and backward pass as one function, made by torch.compile.

Explains one class of each sample. Derived weights are part of what is compiled, so that it follows
changes of the model's own. On a CUDA device all kernel launches are recorded as a CUDA graph.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import PlanError, RelpropError, first_line
from ..graph.inputs import Inputs
from ..support.output_kinds import largest_class
from ..support.torch_private import mark_any_size, trace_operations
from .cuda_graph import CudaGraphs
from .program import Program

PREDICTED = -1  # in the place of a class


class CompiledResult(NamedTuple):
    """What a compiled program returns.

    Attributes:
        finite: Whether all numbers are finite.
        output: The model's output, (batch, classes).
        scores: What is explained, of its shape.
        classes: The class of each sample that was explained, (batch,).
        relevance: Relevance by source.
    """

    finite: bool
    output: Tensor
    scores: Tensor
    classes: Tensor
    relevance: dict[str, Tensor]


class CompiledProgram:
    """Runs what `Program.forward` and `Program.backward` do. Compiles at the first call."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._has_logits = program.plan.graph.scores != program.plan.graph.output
        self._functions: dict[Any, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(
        self, inputs: Inputs, state: Mapping[str, Tensor], classes: Tensor
    ) -> CompiledResult:
        """Run the program.

        Args:
            inputs: The batch.
            state: The model's parameters and buffers by value name.
            classes: The class to explain of each sample, (batch,), or PREDICTED.

        Raises:
            PlanError: torch cannot compile it.
        """
        device = classes.device.type
        cast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        key = (inputs.batch == 1, cast)
        batch_inputs = map(_with_usual_strides, inputs.tensors.values())
        tensors = [_with_usual_strides(classes), *batch_inputs, *state.values()]
        has_batch = [True, *(name in inputs.batched for name in inputs.tensors)]
        any_size = [inputs.batch > 1 and batched for batched in has_batch]
        any_size += [False] * len(state)
        try:
            with self._lock:
                if key not in self._functions:
                    self._functions[key] = self._compile(inputs, state, tensors, any_size)
            for tensor, free in zip(tensors, any_size, strict=True):
                if free:
                    mark_any_size(tensor)
            finite, output, chosen, *rest = self._functions[key](*tensors)
        except RelpropError:
            raise
        except Exception as error:
            raise PlanError(
                f"torch.compile fails: {type(error).__name__}: {first_line(error)}",
                "a model that torch can compile here, and a C++ compiler where it runs",
                "leave compile=True out",
            ) from error
        relevance = dict(zip(self._program.sources, rest, strict=False))  # logits may follow
        scores = rest[-1] if self._has_logits else output
        return CompiledResult(bool(finite), output, scores, chosen, relevance)

    def _compile(
        self,
        inputs: Inputs,
        state: Mapping[str, Tensor],
        tensors: Sequence[Tensor],
        any_size: Sequence[bool],
    ) -> Callable[..., Any]:
        """Compile the program for batches of any size, or for a batch of one."""
        function = self._function(list(inputs.tensors), list(state))
        traced = trace_operations(function, tensors, any_size)
        _write_alpha_out(traced)
        compiled = torch.compile(traced)
        if tensors[0].device.type != "cuda":
            return compiled
        return CudaGraphs(compiled, copied=len(tensors) - len(state))

    def _function(self, labels: Sequence[str], names: Sequence[str]) -> Callable[..., Any]:
        """Return the whole explanation as a function of tensors alone."""

        def function(classes: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            inputs = dict(zip(labels, rest, strict=False))
            state = dict(zip(names, rest[len(labels) :], strict=True))
            trace = self._program.forward(inputs, state)
            output, scores = trace.output, trace.scores
            chosen = torch.where(classes == PREDICTED, largest_class(output, scores), classes)
            # Not by scatter: under autocast, inductor of torch 2.11 and 2.12 makes that float32.
            each = torch.arange(scores.shape[1], device=scores.device)
            c = (each == chosen[:, None]).to(scores.dtype)
            # Functional, because inductor plans the memory itself.
            by_source = self._program.backward(trace, c, again=True, functional=True)
            relevance = [by_source[name] for name in self._program.sources]
            finite = torch.stack([v.isfinite().all() for v in (output, *relevance)]).all()
            logits = [scores] if self._has_logits else []
            return (finite, output, chosen, *relevance, *logits)

        return function


def _write_alpha_out(traced: Any) -> None:
    """Write own + alpha other as a product and a sum.

    Inductor of torch 2.13 makes an addmm of a sum with a matrix product, and drops alpha.
    """
    adds = {torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor}
    for node in list(traced.graph.nodes):
        if node.target in adds and node.kwargs.get("alpha", 1) != 1:
            own, other = node.args
            with traced.graph.inserting_before(node):
                scaled = traced.graph.call_function(
                    torch.ops.aten.mul.Tensor, (other, node.kwargs["alpha"])
                )
            node.args, node.kwargs = (own, scaled), {}
    traced.recompile()


def _with_usual_strides(tensor: Tensor) -> Tensor:
    """Return the tensor with contiguous strides, which the compiled code assumes."""
    usual = torch.empty(tensor.shape, device="meta").stride()
    if tensor.stride() == usual:
        return tensor.detach()  # a new object, since torch marks it
    return tensor.clone(memory_format=torch.contiguous_format)
