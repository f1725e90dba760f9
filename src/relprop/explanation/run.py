"""Running: a program, a model's present weights and a batch -> Explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from ..capture.model import current_state
from ..errors import InputError
from ..graph.first_nonfinite import describe_first_nonfinite
from ..graph.inputs import Inputs
from ..observe.channels import channel_dimension, channel_mask
from ..observe.layers import ConditionObserver, module_outputs
from ..program.compiled import PREDICTED
from ..program.program import Observer, Program, Trace
from ..support.numerics import check_finite, is_finite
from .backward import Ran, Walk, by_input, ways_back
from .build import Made
from .check_inputs import check_output_shape
from .input_guard import AsGiven
from .options import Request
from .result import Explanation
from .targets import classes_before, resolve_target, stack_classes, targets


def run(made: Made, model: nn.Module, inputs: Inputs, target: Any, request: Request) -> Explanation:
    """Run the model and walk back for each target.

    Raises InputError for a target, a layer or channels that do not exist; NumberError if the output
    or the relevance is not finite.
    """
    if request.compile:
        return _run_compiled(made, model, inputs, target, request)
    looks_inside = request.layers or request.only or request.ledger
    given, program = AsGiven(inputs.taken), made.program if looks_inside else made.narrowed
    state = current_state(model, program.plan.graph, detached=not request.create_graph)
    layers = _module_values(program, request.layers)
    limited = _module_values(program, tuple(request.only))
    kept = {name for names in (layers | limited).values() for name in names}
    trace = program.forward(inputs.tensors, state, kept, request.ledger, request.recompute)
    output = _no_view(trace.output, inputs)
    check_output_shape(output, inputs.batch)
    if not is_finite(output):
        first = describe_first_nonfinite(program.plan.graph, inputs.tensors, state)
        check_finite(output, "model's output", first, "check the model's weights and the input")
    wanted, several = targets(output, target)
    resolved = [resolve_target(output, one) for one in wanted]
    names = [name for found in layers.values() for name in found]
    seeds = [_seed(output, c, request.unit) for c, _ in resolved]
    only = _only(request.only, limited, program, trace)
    ran = Ran(made, program, inputs, state, trace)
    walks = ways_back(ran, seeds, only, names, request.ledger)
    classes = [found for _, found in resolved]
    found = stack_classes(classes) if several else classes[0]
    return _record(given, output, found, walks, several, layers)


def _run_compiled(
    made: Made, model: nn.Module, inputs: Inputs, target: Any, request: Request
) -> Explanation:
    """The same by one compiled function."""
    given, graph = AsGiven(inputs.taken), made.program.plan.graph
    node = graph.node(graph.output)
    known = classes_before(target, node.shape if node else (), inputs.batch)
    device = inputs.first.device
    classes = torch.full((inputs.batch,), PREDICTED, device=device) if known is None else known
    state = current_state(model, graph)
    finite, output, chosen, found = made.compiled(inputs, state, classes.to(device))
    if not finite:
        run(made, model, inputs, target, replace(request, compile=False))  # which says where
        for values in (output, *found.values()):
            check_finite(values, "result of the compiled program", "", "leave compile=True out")
    relevance = by_input(made, inputs, state, found)
    if request.unit:
        c = _seed(output, torch.zeros_like(output).scatter_(1, chosen[:, None], 1), True).sum(1)
        relevance = {n: r * c.reshape(-1, *[1] * (r.ndim - 1)) for n, r in relevance.items()}
    return _record(given, _no_view(output, inputs), chosen, [Walk(relevance, {}, None)], False, {})


def _module_values(program: Program, patterns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pattern in patterns:
        found.update(module_outputs(program.plan, pattern))
    return found


def _only(
    channels: Mapping[str, Any],
    modules: Mapping[str, tuple[str, ...]],
    program: Program,
    trace: Trace,
) -> list[Observer]:
    """What lets through the channels of all modules that a glob fits; all conditions must hold."""
    masks: dict[str, Tensor] = {}
    for pattern, chosen in channels.items():
        fitting = [m for m in modules if fnmatchcase(m, pattern)]
        for module, name in [(m, name) for m in fitting for name in modules[m]]:
            dim = channel_dimension(program.plan.graph, name)
            mask = channel_mask(trace.values[name], chosen, module, dim)
            masks[name] = mask * masks[name] if name in masks else mask
    return [ConditionObserver(masks)] if masks else []


def _seed(output: Tensor, c: Tensor, unit: bool) -> Tensor:
    """The relevance per unit of output; scaled to a relevance of 1 for each sample, if asked."""
    if not unit:
        return c
    score = (output * c).flatten(1).sum(1)
    if bool((score == 0).any()):
        raise InputError(
            f'seed="one" for sample {int((score == 0).nonzero()[0, 0])}, whose target scores 0',
            "a target whose score is not 0",
            'write seed="score"',
        )
    return c / score.reshape(-1, *[1] * (c.ndim - 1))


def _record(
    given: AsGiven,
    output: Tensor,
    target: Tensor | None,
    walks: list[Walk],
    several: bool,
    layers: Mapping[str, tuple[str, ...]],
) -> Explanation:
    def stacked(parts: list[Tensor]) -> Tensor:
        return torch.stack(parts, 1) if several else parts[0]

    at_layers: dict[str, Tensor | tuple[Tensor, ...]] = {}
    for module, names in layers.items():
        values = tuple(stacked([walk.layers[name] for walk in walks]) for name in names)
        at_layers[module] = values if len(values) > 1 else values[0]
    given.check()
    return Explanation(
        output=output,
        target=target,
        inputs=given,
        relevances={n: stacked([walk.relevance[n] for walk in walks]) for n in given},
        layers=at_layers,
        several=several,
        ledgers=tuple(walk.ledger for walk in walks if walk.ledger is not None),
    )


def _no_view(output: Tensor, inputs: Inputs) -> Tensor:
    """The output; a copy, where it is nothing but a view of what the caller may write into."""
    storages = {t.untyped_storage().data_ptr() for t in inputs.tensors.values()}
    return output.clone() if output.untyped_storage().data_ptr() in storages else output
