"""A program and its way back as one function, made by torch.compile for batches of any size.

Explains one class of each sample. Weights that rules derive are part of what is compiled, so that
it follows changes of the model's own. On a CUDA device all that it launches is recorded.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import PlanError, RelpropError, first_line
from ..graph.inputs import Inputs
from .cuda_graph import Recorded
from .program import Program

PREDICTED = -1  # in the place of a class


class CompiledProgram:
    """Runs what `Program.forward` and `Program.backward` do. Compiles at the first call."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._functions: dict[Any, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(
        self, inputs: Inputs, state: Mapping[str, Tensor], classes: Tensor
    ) -> tuple[bool, Tensor, Tensor, dict[str, Tensor]]:
        """Whether all is finite, the output, the class of each sample, and relevance by source.

        classes  (batch,): the class to explain, or PREDICTED
        Raises PlanError if torch cannot compile it.
        """
        device = classes.device.type
        cast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        key = (inputs.batch == 1, cast)
        given = map(_in_order, inputs.tensors.values())
        tensors = [_in_order(classes), *given, *state.values()]
        counts = [True, *(name in inputs.batched for name in inputs.tensors)]
        counts += [False] * len(state)
        try:
            with self._lock:
                if key not in self._functions:
                    self._functions[key] = self._compile(inputs, state, tensors, counts)
            if inputs.batch > 1:
                for tensor, counted in zip(tensors, counts, strict=True):
                    torch._dynamo.maybe_mark_dynamic(tensor, 0) if counted else None
            finite, output, found_classes, *found = self._functions[key](*tensors)
        except RelpropError:
            raise
        except Exception as error:
            raise PlanError(
                f"torch.compile fails: {type(error).__name__}: {first_line(error)}",
                "a model that torch can compile here, and a C++ compiler where it runs",
                "leave compile=True out",
            ) from error
        relevance = dict(zip(self._program.sources, found, strict=True))
        return bool(finite), output, found_classes, relevance

    def _compile(
        self,
        inputs: Inputs,
        state: Mapping[str, Tensor],
        tensors: Sequence[Tensor],
        counts: Sequence[bool],
    ) -> Callable[..., Any]:
        # Slow to import, and used here alone.
        from torch._dispatch.python import enable_python_dispatcher
        from torch._subclasses.fake_tensor import FakeTensorMode
        from torch.fx.experimental.proxy_tensor import make_fx
        from torch.fx.experimental.symbolic_shapes import ShapeEnv

        function = self._function(list(inputs.tensors), list(state))
        any_size = [inputs.batch > 1 and counted for counted in counts]
        # On throughout: what a step makes anew, of a size alone, must not have numbers either.
        with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True) as mode:
            stand_ins = _stand_ins(mode, tensors, any_size)
            with enable_python_dispatcher():  # torch 2.11 would ask sizes in C++ for their numbers
                traced = make_fx(function, _allow_non_fake_inputs=True)(*stand_ins)
        compiled = torch.compile(traced)
        if tensors[0].device.type != "cuda":
            return compiled
        return Recorded(compiled, anew=len(tensors) - len(state))

    def _function(self, labels: Sequence[str], names: Sequence[str]) -> Callable[..., Any]:
        """The whole explanation as a function of tensors alone."""

        def function(classes: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
            inputs = dict(zip(labels, rest, strict=False))
            state = dict(zip(names, rest[len(labels) :], strict=True))
            trace = self._program.forward(inputs, state)
            output = trace.output
            chosen = torch.where(classes == PREDICTED, output.argmax(1), classes)
            # not by scatter: inductor of torch 2.11 and 2.12 gives that float32 under autocast
            each = torch.arange(output.shape[1], device=output.device)
            c = (each == chosen[:, None]).to(output.dtype)
            # torch plans the memory itself
            found = self._program.backward(trace, c, again=True, functional=True)
            relevance = [found[name] for name in self._program.sources]
            finite = torch.stack([v.isfinite().all() for v in (output, *relevance)]).all()
            return (finite, output, chosen, *relevance)

        return function


def _in_order(tensor: Tensor) -> Tensor:
    """The tensor with the strides that its shape has by itself: what is compiled is for these."""
    usual = torch.empty(tensor.shape, device="meta").stride()
    if tensor.stride() == usual:
        return tensor.detach()  # which torch may mark
    return tensor.clone(memory_format=torch.contiguous_format)


def _stand_ins(mode: Any, tensors: Sequence[Tensor], any_size: Sequence[bool]) -> list[Tensor]:
    """Tensors of the same shapes without numbers; the first dimension of some has any size."""
    from torch.fx.experimental import symbolic_shapes as shapes

    made = list[Tensor]()
    for tensor, free in zip(tensors, any_size, strict=True):
        sizes = [shapes.DimDynamic.STATIC] * tensor.ndim
        sizes[:1] = [shapes.DimDynamic.DYNAMIC] if free else sizes[:1]
        context: Any = shapes.StatelessSymbolicContext(dynamic_sizes=sizes)
        made.append(mode.from_tensor(tensor, symbolic_context=context))
    return made
