"""Running: a program, a model's present weights and a batch -> Explanation.

The model is run once; for several targets relevance is walked back several times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .checks import check_finite, check_output_shape, is_classification
from .engine.diagnosis import FirstNotFinite, first_in_forward
from .engine.inputs import Inputs
from .engine.ledger import Bookkeeper, Ledger, joined
from .engine.program import Program, Trace, Watcher
from .engine.watchers import AtLayers, Only, channel_mask, outputs_of
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
    modules = _module_values(program, (*request.layers, *request.only))
    kept = {name for names in modules.values() for name in names}
    trace = program.forward(inputs.tensors, state, lambda n: request.ledger or n in kept)
    output = trace.output
    check_output_shape(output, inputs.batch)
    if not bool(output.isfinite().all()):
        first = first_in_forward(program, inputs.tensors, state)
        check_finite(output, "model's output", first, "check the model's weights and the input")
    wanted, several = targets(output, request.target)
    resolved = [resolve_target(output, one) for one in wanted]
    only = _only(request.only, modules, trace)
    walks = [
        _walk(made, inputs, trace, _seed(output, c, request.unit), request, modules, only, i > 0)
        for i, (c, _) in reversed(list(enumerate(resolved)))
    ][::-1]
    if request.ledger and None in made.layouts.values() and inputs.batch > 1:
        walks = _with_ledgers_of_each(walks, made, model, inputs, request, resolved)
    classes = [found for _, found in resolved]
    record = _record(inputs, output, stack_classes(classes) if several else classes[0])
    return _with_relevance(record, walks, several, modules, request.layers)


def _module_values(program: Program, patterns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pattern in patterns:
        found.update(outputs_of(program.plan, pattern))
    return found


def _only(channels: Mapping[str, Any], modules: Mapping[str, Any], trace: Trace) -> list[Watcher]:
    masks = {}
    for module, chosen in channels.items():
        for name in modules.get(module, ()):
            masks[name] = channel_mask(trace.values[name], chosen, module)
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
    trace: Trace,
    c: Tensor,
    request: Request,
    modules: Mapping[str, tuple[str, ...]],
    only: list[Watcher],
    again: bool,
) -> Walk:
    program, plan = made.program, made.program.plan
    layers = AtLayers([name for names in modules.values() for name in names])
    layouts = {name: layout for name, layout in made.layouts.items() if layout is not None}
    books = Bookkeeper(plan, layouts, trace.values) if request.ledger and layouts else None
    whole = books is not None and (inputs.batch == 1 or None not in made.layouts.values())
    watchers = [*only, layers, *([books] if books is not None and whole else [])]
    backs = list(trace.backs)
    found = program.backward(trace, c, watchers, again)
    if not all(bool(r.isfinite().all()) for r in found.values()):
        finder = FirstNotFinite()
        values = replace(trace, backs=backs)
        program.backward(values, c, [finder])
        for r in found.values():
            check_finite(r, "relevance", finder.found, _STABLE)
    ledger = books.ledger(c, found) if books is not None and whole else None
    return Walk(_by_input(program, inputs, found), layers.found, ledger)


def _by_input(program: Program, inputs: Inputs, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Relevance of each explained input: of tokens, that of all their embeddings."""
    graph = program.plan.graph
    relevance: dict[str, Tensor] = {}
    for label in inputs.explained:
        name = graph.inputs[label]
        parts = [r for source, r in found.items() if program.plan.sources[source] == name]
        if name in graph.tokens:
            parts = [part.sum(-1).reshape(inputs.values[label].shape) for part in parts]
        relevance[label] = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
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
    state = state_of(model, made.program.plan.graph)
    parts: list[list[Ledger]] = [[] for _ in walks]
    for i in range(inputs.batch):
        one = inputs.per_sample(lambda t, i=i: t[i : i + 1])  # type: ignore[misc]
        trace = made.program.forward(one.tensors, state, lambda n: True)
        for k, (c, _) in enumerate(resolved):
            seed = _seed(trace.output, c[i : i + 1], request.unit)
            walk = _walk(made, one, trace, seed, request, {}, [], k < len(walks) - 1)
            assert walk.ledger is not None
            parts[k].append(walk.ledger)
    return [replace(walk, ledger=joined(found)) for walk, found in zip(walks, parts, strict=True)]


def _record(inputs: Inputs, output: Tensor, target: Tensor | None) -> Explanation:
    by_classes = is_classification(output)
    given = {label: inputs.values[label] for label in inputs.explained}
    return Explanation(
        input=given if len(given) > 1 else next(iter(given.values())),
        output=output,
        prediction=output.argmax(1) if by_classes else None,
        probabilities=output.softmax(1) if by_classes else None,
        margin=margin(output) if by_classes else None,
        target=target,
        relevance={},
    )


def _with_relevance(
    record: Explanation,
    walks: list[Walk],
    several: bool,
    modules: Mapping[str, tuple[str, ...]],
    patterns: tuple[str, ...],
) -> Explanation:
    def stacked(parts: list[Tensor]) -> Tensor:
        return torch.stack(parts, 1) if several else parts[0]

    labels = walks[0].relevance
    found = {label: stacked([walk.relevance[label] for walk in walks]) for label in labels}
    layers: dict[str, Tensor | tuple[Tensor, ...]] = {}
    for module, names in modules.items() if patterns else ():
        values = tuple(stacked([walk.layers[name] for walk in walks]) for name in names)
        layers[module] = values if len(values) > 1 else values[0]
    return replace(
        record,
        relevance=found if len(found) > 1 else next(iter(found.values())),
        layers=layers,
        several=several,
        ledgers=tuple(walk.ledger for walk in walks if walk.ledger is not None),
    )
