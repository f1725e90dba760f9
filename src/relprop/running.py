"""Running: a program, a model's present weights and a batch -> Explanation.

The model is run once; for several targets relevance is walked back several times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from .checks import check_finite, check_output_shape, is_classification
from .engine.channels import channel_dimension, channel_mask
from .engine.diagnosis import FirstNotFinite, first_in_forward
from .engine.inputs import Inputs
from .engine.layout import Layout
from .engine.ledger import Bookkeeper, Ledger, joined
from .engine.program import Program, Trace, Watcher
from .engine.tokens import token_relevance
from .engine.watchers import AtLayers, Only, outputs_of
from .errors import InputError
from .explanation import Explanation
from .making import Made, state_of
from .margin import margin
from .target import Target, resolve_target, stack_classes, targets

_STABLE = "use a rule with a stabiliser, such as epsilon, where the recipe says zero"


@dataclass(frozen=True)
class Request:
    """What is asked of an explanation; see `Explainer.__call__`."""

    target: Target
    unit: bool
    ledger: bool
    layers: tuple[str, ...]
    only: Mapping[str, Any]
    create_graph: bool


@dataclass(frozen=True)
class Walk:
    """What one way back, for one target, gave."""

    relevance: dict[str, Tensor]
    layers: dict[str, Tensor]
    ledger: Ledger | None


def run(made: Made, model: nn.Module, inputs: Inputs, request: Request) -> Explanation:
    """Run the model and walk back for each target.

    Raises InputError for a target, a layer or channels that do not exist; NumberError if the output
    or the relevance is not finite.
    """
    program = made.program
    state = state_of(model, program.plan.graph, detached=not request.create_graph)
    layers = _module_values(program, request.layers)
    limited = _module_values(program, tuple(request.only))
    kept = {name for names in (layers | limited).values() for name in names}
    trace = program.forward(inputs.tensors, state, lambda n: request.ledger or n in kept)
    output = trace.output
    check_output_shape(output, inputs.batch)
    if not bool(output.isfinite().all()):
        first = first_in_forward(program, inputs.tensors, state)
        check_finite(output, "model's output", first, "check the model's weights and the input")
    wanted, several = targets(output, request.target)
    resolved = [resolve_target(output, one) for one in wanted]
    names = [name for found in layers.values() for name in found]
    seeds = [_seed(output, c, request.unit) for c, _ in resolved]
    only = _only(request.only, limited, program, trace)
    watched = [[*only, AtLayers(names)] for _ in seeds]
    walks = [
        _walk(made, inputs, state, trace, c, watched[i], request.ledger, i < len(seeds) - 1)
        for i, c in enumerate(seeds)
    ]
    if request.ledger and None in made.layouts.values() and inputs.batch > 1:
        walks = _with_ledgers_of_each(walks, made, model, inputs, request, resolved)
    classes = [found for _, found in resolved]
    target = stack_classes(classes) if several else classes[0]
    return _record(inputs, output, target, walks, several, layers)


def _module_values(program: Program, patterns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pattern in patterns:
        found.update(outputs_of(program.plan, pattern))
    return found


def _only(
    channels: Mapping[str, Any],
    modules: Mapping[str, tuple[str, ...]],
    program: Program,
    trace: Trace,
) -> list[Watcher]:
    """What lets through the channels of all modules that a glob fits; all conditions must hold."""
    masks: dict[str, Tensor] = {}
    for pattern, chosen in channels.items():
        fitting = [m for m in modules if fnmatchcase(m, pattern)]
        for module, name in [(m, name) for m in fitting for name in modules[m]]:
            dim = channel_dimension(program.plan.graph, name)
            mask = channel_mask(trace.values[name], chosen, module, dim)
            masks[name] = mask * masks[name] if name in masks else mask
    return [Only(masks)] if masks else []


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


def _walk(
    made: Made,
    inputs: Inputs,
    state: Mapping[str, Tensor],
    trace: Trace,
    c: Tensor,
    watchers: Sequence[Watcher],
    ledger: bool,
    again: bool,
) -> Walk:
    """One way back; `again`: the trace is needed for another."""
    program, plan = made.program, made.program.plan
    known = {name: layout for name, layout in made.layouts.items() if layout is not None}
    if ledger and (inputs.batch == 1 or len(known) == len(made.layouts)):
        books = Bookkeeper(plan, {**dict.fromkeys(made.layouts, Layout()), **known}, trace.values)
        watchers = [*watchers, books]
    backs = list(trace.backs)
    found = program.backward(trace, c, watchers, again)
    if not all(bool(r.isfinite().all()) for r in found.values()):
        finder = FirstNotFinite()
        program.backward(replace(trace, backs=backs), c, [finder])
        for r in found.values():
            check_finite(r, "relevance", finder.found, _STABLE)
    last = watchers[-1] if watchers else None
    return Walk(
        relevance=_by_input(program, inputs, found, state),
        layers={n: r for w in watchers if isinstance(w, AtLayers) for n, r in w.found.items()},
        ledger=last.ledger(c, found) if isinstance(last, Bookkeeper) else None,
    )


def _by_input(
    program: Program, inputs: Inputs, found: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Relevance of each explained input: of tokens, that of all their embeddings."""
    graph, sources = program.plan.graph, program.plan.sources
    known = graph.given(inputs.tensors, state)
    relevance: dict[str, Tensor] = {}
    for label in inputs.explained:
        name = graph.inputs[label]
        parts = {source: r for source, r in found.items() if sources[source] == name}
        if name in graph.tokens:
            parts = {
                node.name: token_relevance(graph, node, name, known, parts[node.name])
                for node in graph.nodes
                if node.name in parts
            }
        first, *others = parts.values()
        relevance[label] = sum(others, first)
    return relevance


def _with_ledgers_of_each(
    walks: list[Walk],
    made: Made,
    model: nn.Module,
    inputs: Inputs,
    request: Request,
    resolved: Sequence[tuple[Tensor, Any]],
) -> list[Walk]:
    """Ledgers of samples that the model sorts among one another: each sample by itself."""
    graph = made.program.plan.graph
    if not graph.any_batch:
        raise InputError(
            f'ledger=True with capture="per-input" for a batch of {inputs.batch} whose samples '
            "cannot be told apart in every value",
            "one sample at a time",
            "explain x[i:i+1] for each i",
        )
    state = state_of(model, graph)
    parts: list[list[Ledger]] = [[] for _ in walks]
    for i in range(inputs.batch):
        one = inputs.per_sample(lambda t, i=i: t[i : i + 1])  # type: ignore[misc]
        trace = made.program.forward(one.tensors, state, lambda n: True)
        for k, (c, _) in enumerate(resolved):
            seed = _seed(trace.output, c[i : i + 1], request.unit)
            walk = _walk(made, one, state, trace, seed, [], True, k < len(walks) - 1)
            assert walk.ledger is not None
            parts[k].append(walk.ledger)
    return [replace(walk, ledger=joined(found)) for walk, found in zip(walks, parts, strict=True)]


def _record(
    inputs: Inputs,
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
    by_classes = is_classification(output)
    return Explanation(
        output=output,
        prediction=output.argmax(1) if by_classes else None,
        probabilities=output.softmax(1) if by_classes else None,
        margin=margin(output) if by_classes else None,
        target=target,
        inputs={label: inputs.values[label] for label in inputs.explained},
        relevances={n: stacked([walk.relevance[n] for walk in walks]) for n in inputs.explained},
        layers=at_layers,
        several=several,
        ledgers=tuple(walk.ledger for walk in walks if walk.ledger is not None),
    )
