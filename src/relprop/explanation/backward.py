"""Ways back: a program that was run, and a seed for each target -> relevance of the inputs.

The model was run once; of a single sample several targets walk back together, and of
small batches where there is no CPU to fill.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..errors import InputError
from ..graph.inputs import Inputs
from ..graph.token_ids import token_relevance
from ..observe.layers import LayerObserver
from ..observe.ledger import Ledger, LedgerObserver, concatenate_ledgers
from ..program.diagnosis import FirstNotFinite
from ..program.program import Observer, Program, Trace
from ..support.numerics import check_finite, is_finite
from .build import Made

TOGETHER = 128  # samples x targets on one way back: more would only move more memory
_STABLE = "use a rule with a stabiliser, where the plan says zero or epsilon=0"


@dataclass(frozen=True)
class Ran:
    """A program that was run on a batch, with a model's parameters and buffers by value name."""

    made: Made
    program: Program
    inputs: Inputs
    state: Mapping[str, Tensor]
    trace: Trace


@dataclass(frozen=True)
class Walk:
    """What one way back, for one target, gave."""

    relevance: dict[str, Tensor]
    layers: dict[str, Tensor]
    ledger: Ledger | None


def ways_back(
    ran: Ran, seeds: Sequence[Tensor], only: Sequence[Observer], names: Sequence[str], ledger: bool
) -> list[Walk]:
    """A way back for each seed: the relevance per unit of output, of its shape.

    only    lets a part of the relevance pass          names  of values whose relevance is wanted
    Raises NumberError if relevance is not finite.
    """
    watched = only or names or ledger or torch.is_grad_enabled()
    recomputes = len(ran.trace.segments) > 1  # which torch.func.vmap cannot look into
    count = min(len(seeds), _room(ran)) if len(seeds) > 1 else 1
    if count > 1 and not watched and not recomputes:
        found = _together(ran, torch.stack(list(seeds)), count)
        if all(map(is_finite, found.values())):
            parts = ({name: r[i] for name, r in found.items()} for i in range(len(seeds)))
            return [
                Walk(by_input(ran.made, ran.inputs, ran.state, part), {}, None) for part in parts
            ]
    last = len(seeds) - 1
    walks = [
        _walk(ran, c, [*only, *_noting(names)], ledger, again=i < last) for i, c in enumerate(seeds)
    ]
    if ledger and None in ran.made.layouts.values() and ran.inputs.batch > 1:
        return _with_ledgers_of_each(walks, ran, seeds)
    return walks


def _noting(names: Sequence[str]) -> list[LayerObserver]:
    """What notes the relevance of values, if there are any."""
    return [LayerObserver(names)] if names else []


def _room(ran: Ran) -> int:
    """How many targets walk back together: on CPUs, a few samples fill a way back by themselves."""
    batch = ran.inputs.batch
    return 1 if batch > 1 and ran.trace.output.device.type == "cpu" else TOGETHER // batch


def _together(ran: Ran, seeds: Tensor, count: int) -> dict[str, Tensor]:
    """Relevance at each source (targets, *source) for seeds (targets, *output), a few at a time."""
    program, trace = ran.program, ran.trace
    with warnings.catch_warnings():  # an operation that torch cannot batch is run once a target
        warnings.filterwarnings("ignore", "There is a performance drop")
        back = partial(program.backward, trace, again=True, functional=True)
        return torch.func.vmap(back, chunk_size=count)(seeds)


def _walk(ran: Ran, c: Tensor, observers: Sequence[Observer], ledger: bool, again: bool) -> Walk:
    """One way back; `again`: the trace is needed for another."""
    program, layouts = ran.program, ran.made.layouts
    if ledger and (ran.inputs.batch == 1 or None not in layouts.values()):
        plain = {name: layout or BatchAxis() for name, layout in layouts.items()}
        observers = [*observers, LedgerObserver(program.plan, plain, ran.trace.values)]
    found = program.backward(ran.trace, c, observers, again)
    if not all(map(is_finite, found.values())):
        finder = FirstNotFinite()
        program.backward(ran.trace.rerun(), c, [finder])
        for r in found.values():
            check_finite(r, "relevance", finder.found, _STABLE)
    last = observers[-1] if observers else None
    return Walk(
        relevance=by_input(ran.made, ran.inputs, ran.state, found),
        layers={
            n: r for w in observers if isinstance(w, LayerObserver) for n, r in w.relevance.items()
        },
        ledger=last.ledger(c, found) if isinstance(last, LedgerObserver) else None,
    )


def by_input(
    made: Made, inputs: Inputs, state: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Relevance of each explained input, of that at the sources: of tokens, by all embeddings."""
    plan = made.program.plan
    graph, sources = plan.graph, plan.sources
    known = graph.initial_values(inputs.tensors, state)
    relevance: dict[str, Tensor] = {}
    for label in inputs.explained:
        name = graph.inputs[label]
        parts = {source: r for source, r in found.items() if sources[source] == name}
        if name in graph.tokens:
            parts = {
                source: token_relevance(graph, source, name, known, r)
                for source, r in parts.items()
            }
        first, *others = parts.values()
        relevance[label] = sum(others, first)
    return relevance


def _with_ledgers_of_each(walks: list[Walk], ran: Ran, seeds: Sequence[Tensor]) -> list[Walk]:
    """Ledgers of samples that the model sorts among one another: each sample by itself."""
    program, batch = ran.program, ran.inputs.batch
    if not program.plan.graph.any_batch:
        raise InputError(
            f'ledger=True with capture="per-input" for a batch of {batch} whose samples '
            "cannot be told apart in every value",
            "one sample at a time",
            "explain x[i:i+1] for each i",
        )
    parts: list[list[Ledger]] = [[] for _ in walks]
    for i in range(batch):
        one = ran.inputs.per_sample(lambda t, i=i: t[i : i + 1])  # type: ignore[misc]
        alone = replace(
            ran, inputs=one, trace=program.forward(one.tensors, ran.state, account=True)
        )
        for k, c in enumerate(seeds):
            walk = _walk(alone, c[i : i + 1], [], True, again=k < len(walks) - 1)
            assert walk.ledger is not None
            parts[k].append(walk.ledger)
    return [
        replace(walk, ledger=concatenate_ledgers(found))
        for walk, found in zip(walks, parts, strict=True)
    ]
