"""Backward passes of a request: several targets over one forward pass, observers, ledgers.

Takes a program that was run and initial relevance for each target, gives relevance by source. Of a
single sample several targets go back together; on other devices than CPUs, of small batches, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..errors import InputError
from ..graph.inputs import Inputs
from ..observe.channels import condition_masks
from ..observe.conditional import Conditions, backward_under_conditions
from ..observe.layers import LayerObserver, module_outputs
from ..observe.ledger import Ledger, LedgerObserver, concatenate_ledgers
from ..observe.paths import Paths, find_paths
from ..plan.plan import Plan
from ..program.diagnosis import FirstNonfiniteObserver
from ..program.observer import Observer
from ..program.program import Program, Trace
from ..support.checks import check_finite, is_finite
from ..support.quiet import silenced
from ..support.torch_messages import VMAP_WARNINGS
from .built_program import BuiltProgram
from .options import Request

TOGETHER = 128  # samples x targets in one backward pass: more would only move more memory
_STABLE = "use a rule with a stabiliser, where the plan says zero or epsilon=0"


@dataclass(frozen=True)
class ForwardResult:
    """A program that was run on a batch.

    Attributes:
        built: What was built for inputs like these.
        program: The one of its programs that was run.
        inputs: The batch.
        state: Parameters and buffers by value name.
        trace: What the backward pass needs.
    """

    built: BuiltProgram
    program: Program
    inputs: Inputs
    state: Mapping[str, Tensor]
    trace: Trace


@dataclass(frozen=True)
class BackwardResult:
    """What one backward pass gave.

    Attributes:
        relevance: Relevance by source.
        layers: Relevance by value name, of the values that were asked for.
        ledger: The ledger, if asked for.
    """

    relevance: Mapping[str, Tensor]
    layers: Mapping[str, Tensor] = field(default_factory=dict)
    ledger: Ledger | None = None


@dataclass(frozen=True)
class Observed:
    """The modules that a request looks at.

    Attributes:
        layers: Names of the output values of each module in `layers=`.
        conditions: The same for each module in `conditions=`.
        paths: The paths that conditions keep; None without conditions.
    """

    layers: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, tuple[str, ...]]
    paths: Paths | None

    @classmethod
    def of(cls, plan: Plan, request: Request) -> "Observed":
        """Find the modules. Raises InputError for a glob that matches none."""
        layers, conditions = (
            {m: n for glob in globs for m, n in module_outputs(plan, glob).items()}
            for globs in (request.layers, request.conditions or ())
        )
        to_pass = {} if request.keep_parallel else conditions
        return cls(layers, conditions, find_paths(plan, to_pass) if conditions else None)

    @property
    def names(self) -> frozenset[str]:
        """List the values that the forward pass must keep."""
        modules = (*self.layers.values(), *self.conditions.values())
        return frozenset(name for names in modules for name in names)

    def conditions_on(self, forward: ForwardResult, request: Request) -> Conditions | None:
        """Make the masks of a batch, if there are conditions; they serve all targets."""
        if self.paths is None:
            return None
        graph, values = forward.program.plan.graph, forward.trace.values
        masks = condition_masks(request.conditions or {}, self.conditions, graph, values)
        return Conditions(masks, self.paths)

    def layer_observers(self) -> list[LayerObserver]:
        """Make the observer that records relevance at layers, if there are any, for one target."""
        names = [name for names in self.layers.values() for name in names]
        return [LayerObserver(names)] if names else []

    def by_module(
        self, by_target: Sequence[Mapping[str, Tensor]], several: bool
    ) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """Arrange relevance by module: a tensor, or a tuple for several outputs."""
        modules: dict[str, Tensor | tuple[Tensor, ...]] = {}
        for module, names in self.layers.items():
            values = tuple(
                torch.stack([one[name] for one in by_target], 1) if several else by_target[0][name]
                for name in names
            )
            modules[module] = values if len(values) > 1 else values[0]
        return modules


def run_backward(
    forward: ForwardResult,
    initial: Sequence[Tensor],
    observed: Observed | None,
    request: Request,
) -> list[BackwardResult]:
    """Run a backward pass for each initial relevance per unit of output."""
    recomputes = len(forward.trace.segments) > 1  # which torch.func.vmap cannot look into
    count = min(len(initial), _most_together(forward)) if len(initial) > 1 else 1
    if count > 1 and not (request.observes or recomputes or torch.is_grad_enabled()):
        try:
            stacked = _run_together(forward, torch.stack(list(initial)), count)
        except RuntimeError:  # torch cannot batch some operations; other errors come again below
            stacked = None
        if stacked is not None and all(map(is_finite, stacked.values())):
            targets = range(len(initial))
            return [BackwardResult({name: r[i] for name, r in stacked.items()}) for i in targets]
    last, results = len(initial) - 1, []
    conditions = observed.conditions_on(forward, request) if observed else None
    for i, c in enumerate(initial):
        observers = observed.layer_observers() if observed else []
        results.append(_run_one(forward, c, conditions, observers, request.ledger, again=i < last))
    if request.ledger and observed and _mixes_samples(forward):
        return _add_ledgers_by_sample(results, forward, initial, observed, request)
    return results


def _most_together(forward: ForwardResult) -> int:
    """Count the targets that go back together: on CPUs, a few samples fill a pass by themselves."""
    batch = forward.inputs.batch
    return 1 if batch > 1 and forward.trace.output.device.type == "cpu" else TOGETHER // batch


def _run_together(forward: ForwardResult, initial: Tensor, count: int) -> dict[str, Tensor]:
    """Compute relevance (targets, *source) for initial (targets, *output), `count` at a time."""
    with silenced(VMAP_WARNINGS):  # an operation that torch cannot batch is run once a target
        run = partial(forward.program.backward, forward.trace, again=True, functional=True)
        return torch.func.vmap(run, chunk_size=count)(initial)


def _run_one(
    forward: ForwardResult,
    c: Tensor,
    conditions: Conditions | None,
    observers: list[LayerObserver],
    ledger: bool,
    again: bool,
) -> BackwardResult:
    """Run one backward pass; `again`: the trace is needed for another."""
    program, trace = forward.program, forward.trace
    accountant = None
    if ledger and not _mixes_samples(forward):
        axes = {name: axis or BatchAxis() for name, axis in forward.built.batch_axes.items()}
        accountant = LedgerObserver(program.plan, axes, trace.values)
    watching: list[Observer] = [*observers, *([accountant] if accountant else [])]
    if conditions is None:
        relevance = program.backward(trace, c, watching, again)
    else:
        relevance = backward_under_conditions(program, trace, c, conditions, watching, again)
    return BackwardResult(
        relevance,
        layers={name: r for one in observers for name, r in one.read(trace.values).items()},
        ledger=accountant.ledger(c, relevance) if accountant else None,
    )


def refuse_nonfinite(forward: ForwardResult, c: Tensor, relevance: Mapping[str, Tensor]) -> None:
    """Raise NumberError if relevance is not finite; it names the operation that gave the first."""
    if all(map(is_finite, relevance.values())):
        return
    finder = FirstNonfiniteObserver()
    forward.program.backward(forward.trace.rerun(), c, [finder])
    for values in relevance.values():
        check_finite(values, "relevance", finder.message, _STABLE, forward.inputs.start)


def _mixes_samples(forward: ForwardResult) -> bool:
    """Tell whether samples cannot be told apart in some value, as in a sorted batch."""
    return forward.inputs.batch > 1 and None in forward.built.batch_axes.values()


def _add_ledgers_by_sample(
    results: list[BackwardResult],
    forward: ForwardResult,
    initial: Sequence[Tensor],
    observed: Observed,
    request: Request,
) -> list[BackwardResult]:
    """Add the ledgers of a model that sorts samples among one another: of each sample alone."""
    program, batch = forward.program, forward.inputs.batch
    if not program.plan.graph.any_batch:
        raise InputError(
            f'ledger=True with capture="per-input" for a batch of {batch} whose samples '
            "cannot be told apart in every value",
            "one sample at a time",
            "explain x[i:i+1] for each i",
        )
    ledgers: list[list[Ledger]] = [[] for _ in results]
    for i in range(batch):
        sample = forward.inputs.per_sample(lambda t, i=i: t[i : i + 1], start=i)  # type: ignore[misc]
        trace = program.forward(sample.tensors, forward.state, account=True)
        alone = replace(forward, inputs=sample, trace=trace)
        conditions = observed.conditions_on(alone, request)
        for k, c in enumerate(initial):
            again = k < len(results) - 1
            ledger = _run_one(alone, c[i : i + 1], conditions, [], True, again).ledger
            assert ledger is not None
            ledgers[k].append(ledger)
    return [
        replace(result, ledger=concatenate_ledgers(by_sample))
        for result, by_sample in zip(results, ledgers, strict=True)
    ]
