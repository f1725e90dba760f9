"""From a model to a program: copy, capture, plan, and compare with the model itself.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .engine.capture import Called, capture, twin
from .engine.graph import Graph
from .engine.inputs import Inputs
from .engine.layout import Layout, find_layouts
from .engine.planner import make_plan
from .engine.program import Program
from .engine.recipe import Recipe
from .errors import CaptureError


@dataclass(frozen=True)
class Made:
    """A program, and where each of its values holds its samples (None: in no fixed order)."""

    program: Program
    layouts: Mapping[str, Layout | None]


def make_program(
    model: nn.Module, inputs: Inputs, recipe: Recipe, output: str | int | None, per_input: bool
) -> Made:
    """The program that explains `model` on batches like these by `recipe`.

    output     which of several results is explained
    per_input  the program is for these very numbers
    Raises CaptureError if the model cannot be read, or does not do what was read; PlanError if an
    operation has no rule.
    Not to be run by two threads at once.
    """
    copy = twin(model)
    with torch.autocast(inputs.first.device.type, enabled=False):
        graph = capture(copy, inputs, output, per_input)
    program = Program(make_plan(graph, recipe))
    state = state_of(copy, graph)
    one = inputs if per_input else inputs.per_sample(lambda t: t[:1])
    _compare(Called(copy, inputs, output), program, one, state)
    if per_input:
        return Made(program, find_layouts(program, inputs.tensors, state, inputs.batch))
    two = inputs.per_sample(lambda t: torch.cat([t[:1], t[-1:]]))
    return Made(program, find_layouts(program, two.tensors, state, 2))


def state_of(model: nn.Module, graph: Graph, detached: bool = True) -> Mapping[str, Tensor]:
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
    found = {name: tensors[path] for name, path in graph.state.items()}
    return {name: t.detach() for name, t in found.items()} if detached else found


def _compare(
    called: Called, program: Program, inputs: Inputs, state: Mapping[str, Tensor]
) -> None:
    """A graph is read for two samples or more: on one it must still give the model's own output."""
    with torch.no_grad():
        expected = called(*inputs.tensors.values())
        got = program.forward(inputs.tensors, state).output
    if got.shape != expected.shape or not _close(got, expected):
        raise CaptureError(
            f"{type(called.model).__name__} on one sample does not do what it does on several",
            "a model that does the same for a batch of any size, and always the same",
            "take conditions on x.shape[0], squeeze() and random numbers out of forward",
        )


def _close(got: Tensor, expected: Tensor) -> bool:
    device = got.device.type
    lowered = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if lowered else expected.dtype
    tolerance = torch.finfo(dtype).eps ** 0.5
    scale = expected.abs().max() + torch.finfo(expected.dtype).tiny
    # what is not finite is found and named when the program is run
    difference = (got - expected).abs().nan_to_num(0)
    return bool(difference.max() <= tolerance * scale.nan_to_num(1))
