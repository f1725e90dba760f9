"""From a model to a program: copy, capture, plan, and compare with the model itself.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .checks import check_classes
from .engine.capture import Graph, capture, twin
from .engine.planner import make_plan
from .engine.program import Program
from .engine.recipe import Recipe
from .errors import CaptureError


def make_program(model: nn.Module, x: Tensor, recipe: Recipe) -> Program:
    """The program that explains `model` on batches like x by `recipe`.

    x  (batch, *features)
    Raises CaptureError if the model cannot be read, or does not do what was read; InputError if
    its output is not (batch, classes); PlanError if an operation has no rule.
    Not to be run by two threads at once.
    """
    copy = twin(model)
    graph = capture(copy, x)
    check_classes(graph.output_shape)
    program = Program(make_plan(graph, recipe))
    _compare(copy, program, x[:1])
    return program


def state_of(model: nn.Module, graph: Graph) -> Mapping[str, Tensor]:
    """The model's parameters and buffers as they are now, by the names of the graph."""
    tensors: dict[str, Tensor] = dict(model.named_buffers(remove_duplicate=False))
    tensors.update(model.named_parameters(remove_duplicate=False))
    missing = sorted(set(graph.state.values()) - set(tensors))
    if missing:
        raise CaptureError(
            f'the model no longer has "{missing[0]}", which it had when it was read',
            "a model whose parameters and buffers change their values alone",
            "make a new Explainer after a change of the model",
        )
    return {name: tensors[path].detach() for name, path in graph.state.items()}


def _compare(copy: nn.Module, program: Program, x: Tensor) -> None:
    """A graph is read for two samples or more: on one it must still give the model's own output."""
    expected = copy(x)
    got = program.forward(x, state_of(copy, program.plan.graph)).output
    scale = expected.abs().max() + torch.finfo(x.dtype).tiny
    tolerance = torch.finfo(x.dtype).eps ** 0.5
    if got.shape != expected.shape or bool((got - expected).abs().max() > tolerance * scale):
        raise CaptureError(
            f"{type(copy).__name__} on one sample does not do what it does on several",
            "a model that does the same for a batch of any size, and always the same",
            "take conditions on x.shape[0], squeeze() and random numbers out of forward",
        )
