"""From a model to a program: copy, capture, compare with the model itself, plan, compare again.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .agreement import difference, is_alike, is_same, rounding
from .checks import check_finite, is_finite
from .compiled import CompiledProgram
from .engine.capture import Called, capture, first_line, twin
from .engine.diagnosis import first_apart, first_in_forward
from .engine.facts import find_facts, find_sources
from .engine.graph import Graph
from .engine.inputs import Inputs
from .engine.layout import Layout, beside_nan, company, find_layouts, mixes
from .engine.narrowing import narrowed, takes_of_each
from .engine.planner import make_plan
from .engine.program import Program
from .engine.recipe import Recipe
from .engine.refusals import refuse_train_mode
from .errors import CaptureError, NumberError, PlanError, RelpropError


@dataclass(frozen=True)
class Made:
    """A program, and where each of its values holds its samples (None: in no fixed order).

    narrowed  the same at those positions alone that the output needs: for all who do not look
              inside; the program itself, where it needs them all
    compiled  that as one function of torch.compile's, made when first called
    """

    program: Program
    layouts: Mapping[str, Layout | None]
    narrowed: Program
    compiled: CompiledProgram


@dataclass(frozen=True)
class Captured:
    """What was read of a model: its graph, and where each value holds its samples."""

    graph: Graph
    layouts: Mapping[str, Layout | None]


def read_model(
    model: nn.Module, inputs: Inputs, output: str | int | None, per_input: bool
) -> tuple[Captured, Tensor]:
    """The operations that `model` runs on batches like these, and what they give for the first.

    That is beside the last; whether they give the same for it alone, `make_program` sees.
    output     which of several results is explained
    per_input  the graph is for these very numbers, and what it gives is for the whole batch
    Raises CaptureError if the model cannot be read, does not do what was read, or mixes samples;
    PlanError if it is in train mode.
    Not to be run by two threads at once.
    """
    copy = twin(model)
    with torch.autocast(inputs.first.device.type, enabled=False):
        graph = capture(copy, inputs, output, per_input)
    refuse_train_mode(graph.nodes, find_facts(graph).dependent)
    _refuse_other_tokens(graph)
    state, (first, last) = state_of(model, graph), _ends(graph, inputs)
    both = _chosen(inputs, [0, -1]) if graph.any_batch else inputs
    beside, expected = _run(graph, Called(copy, inputs, output), both, last, inputs)
    _refuse_no_samples(model, beside, expected)
    # A graph is read for two samples or more: on one it must still give the model's own output.
    # What it gives for a sample beside another stands for that, unless it is not the model's.
    end = beside[-len(expected) :]
    if not is_same(end, expected) and not is_same(graph.run(last.tensors, state), expected):
        raise CaptureError(
            f"{type(model).__name__} on one sample does not do what it does on several",
            "a model that does the same for a batch of any size, and always the same",
            "take conditions on x.shape[0], squeeze() and random numbers out of forward",
        )
    got = beside[: len(expected)]
    for one, found in ((first, got), (last, expected)):  # what is not finite is like anything
        where = "" if is_finite(found) else first_in_forward(graph, one.tensors, state)
        start = 0 if one is first else inputs.batch - one.batch
        todo = "check the model's weights and the scale of x"
        check_finite(found, "model's output", where, todo, start)
    if not is_alike(end, expected):
        raise mixes("the model")
    return Captured(graph, _layouts(graph, model, inputs, state, expected)), got


def read_before(
    read: Captured, model: nn.Module, inputs: Inputs, output: str | int | None
) -> tuple[Captured, Tensor]:
    """What was read of a model before, and what it gives for the first: as this model does.

    Raises CaptureError if it does not.
    """
    first, _ = _ends(read.graph, inputs)
    got, expected = _run(read.graph, Called(twin(model), inputs, output), first, first, inputs)
    if not is_same(got, expected):
        raise CaptureError(
            f"{type(model).__name__} does not do what the model did that the plan was saved of",
            "a model of the same architecture, in eval mode",
            "read the model anew: relprop.Explainer(model)",
        )
    return read, got


def _refuse_no_samples(model: nn.Module, *outputs: Tensor) -> None:
    """CaptureError for an output that is a single number."""
    if any(output.ndim == 0 for output in outputs):
        raise CaptureError(
            f"the output of {type(model).__name__} is a single number for one sample",
            "an output whose first dimension holds the samples",
            "take sums over samples and squeeze() out of forward",
        )


def _refuse_other_tokens(graph: Graph) -> None:
    """Integers that no embedding looks up, such as a mask, where others are looked up."""
    ids = [label for label, name in graph.inputs.items() if find_sources(_of(graph, name))]
    unused = set(graph.tokens) - set(find_sources(graph).values())
    for label, name in graph.inputs.items():
        if name in unused and ids:
            raise PlanError(
                f'relevance of the input "{label}", integers that no embedding looks up',
                f"floating point numbers, or token ids: {_listed(ids)}",
                f'write explain="{ids[0]}"',
            )


def _of(graph: Graph, name: str) -> Graph:
    """The graph with one input alone explained, as token ids."""
    return replace(graph, explained=(name,), tokens=(name,))


def _ends(graph: Graph, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """The first sample and the last; for a graph of one batch, that batch."""
    if not graph.any_batch:
        return inputs, inputs
    return _chosen(inputs, [0]), _chosen(inputs, [-1])


def _chosen(inputs: Inputs, samples: list[int]) -> Inputs:
    """These samples as one batch."""
    return inputs.per_sample(lambda t: t[samples])


def _run(
    graph: Graph, called: Called, some: Inputs, one: Inputs, inputs: Inputs
) -> tuple[Tensor, Tensor]:
    """What a graph gives for some samples, and its model, which may write its inputs, for one."""
    with _named_failure(called.model, inputs):
        got = graph.run(some.tensors, state_of(called.model, graph))
        return got, called(*(tensor.clone() for tensor in one.tensors.values()))


@contextmanager
def _named_failure(model: nn.Module, inputs: Inputs) -> Iterator[None]:
    """CaptureError for what torch raises where a model is run on more or fewer samples."""
    try:
        yield
    except RelpropError:
        raise
    except Exception as error:
        raise CaptureError(
            f"{type(model).__name__} fails on other numbers of samples than {inputs.batch}: "
            f"{first_line(error)}; {_listed(inputs.batched)} are taken to hold samples",
            "a model that takes any number of samples, and shared inputs whose first size "
            f"is not {inputs.batch}",
            "give a batch of another size if one of these inputs holds no samples",
        ) from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def make_program(
    read: Captured,
    model: nn.Module,
    inputs: Inputs,
    recipe: Recipe,
    expected: Tensor | None = None,
) -> Made:
    """The program that explains by `recipe` what was read of `model`.

    expected  what was read gives for the first sample beside another, where that is known
    Raises PlanError if an operation has no rule; NumberError if the output is not what was read
    gives; CaptureError if that for a sample alone is not what is expected.
    """
    graph, state = read.graph, state_of(model, read.graph)
    program = Program(make_plan(graph, recipe))
    first, _ = _ends(graph, inputs)
    with _named_failure(model, inputs):
        expected = graph.run(first.tensors, state) if expected is None else expected
    got = program.forward(first.tensors, state).output
    change, limit = difference(got, expected), rounding(expected)
    if change > limit:  # what is expected may be of numbers that are no longer there
        change = difference(got, _alone(graph, inputs, state))
    if change > limit:
        where = first_apart(program, first.tensors, state, limit)
        how = "to fold its batch norms, or to lay pictures out channels-last,"
        raise _magnifies(model, how, change, where)
    narrow = _narrowed(program, model, inputs, state, got)
    layouts = {name: at for name, at in read.layouts.items() if name in program.plan.forms}
    return Made(program, layouts, narrow, CompiledProgram(narrow))


def _narrowed(
    program: Program,
    model: nn.Module,
    inputs: Inputs,
    state: Mapping[str, Tensor],
    expected: Tensor,
) -> Program:
    """The same at those positions alone that the output needs, where its recipe does not mix them.

    expected  what the program gives for the first sample
    Raises NumberError if it does not give the same; of two samples, where each has its positions.
    """
    graph, recipe = program.plan.graph, program.plan.recipe
    mixes_positions = any(step.rule and step.rule.mixes for step in program.plan.steps)
    by_operation = any(row.selector.operation is not None for row in recipe.rows)
    if mixes_positions or by_operation:  # these name operations of the model's own
        return program
    batched = frozenset(graph.inputs[label] for label in inputs.batched)
    found = narrowed(graph, graph.given(inputs.tensors, state), batched)
    if found is graph:
        return program
    narrow, (some, _) = Program(make_plan(found, recipe), kin=program), _ends(graph, inputs)
    if takes_of_each(found):
        some = _chosen(inputs, [0, -1])
        expected = program.forward(some.tensors, state).output
    change = difference(narrow.forward(some.tensors, state).output, expected)
    if change > rounding(expected):
        raise _magnifies(model, "to compute those positions alone that it needs", change, "")
    return narrow


def _magnifies(model: nn.Module, how: str, change: float, where: str) -> NumberError:
    return NumberError(
        f"{type(model).__name__} magnifies rounding: {how} changes its output by "
        f"{change:.1%}{where}",
        "a model whose output is stable in its own precision",
        "explain it in float64: model.double() and x.double()",
    )


def _alone(graph: Graph, inputs: Inputs, state: Mapping[str, Tensor]) -> Tensor:
    """What a graph gives for the first sample; CaptureError if beside the last that is another."""
    first, _ = _ends(graph, inputs)
    alone: Tensor = graph.run(first.tensors, state)
    if graph.any_batch:
        both = graph.run(_chosen(inputs, [0, -1]).tensors, state)
        if not is_alike(both[:1], alone):
            raise mixes("the model")
    return alone


def _layouts(
    graph: Graph, model: nn.Module, inputs: Inputs, state: Mapping[str, Tensor], expected: Tensor
) -> Mapping[str, Layout | None]:
    """Layouts, and CaptureError if NaN in other samples changes what the model makes of one.

    expected  what it makes of the last sample; in a graph of one batch, of all
    """
    some, alone = inputs, {k: expected[k : k + 1] for k in (0, inputs.batch - 1)}
    if graph.any_batch:
        some, alone = _chosen(inputs, company(graph)), {1: expected}
    with _named_failure(model, inputs):
        probes = {k: beside_nan(graph, some.tensors, state, k) for k in alone}
    layouts = find_layouts(graph, probes, some.batch)
    if not all(is_alike(probes[k][graph.output][k : k + 1], alone[k]) for k in alone):
        raise mixes("the model")
    return layouts


def state_of(model: nn.Module, graph: Graph, detached: bool = True) -> Mapping[str, Tensor]:
    """The model's parameters and buffers as they are now, by the names of the graph."""
    found = dict[str, Tensor]()
    for name, path in graph.state.items():
        tensor = _registered(model, path)
        if tensor is None:
            raise CaptureError(
                f'the model no longer has "{path}", which it had when it was read',
                "a model whose parameters and buffers change their values alone",
                "make a new Explainer after a change of the model",
            )
        found[name] = tensor.detach() if detached else tensor
    return found


def _registered(model: nn.Module, path: str) -> Tensor | None:
    """The parameter or buffer of that name; `get_parameter` would take longer than small layers."""
    *modules, last = path.split(".")
    owner: nn.Module | None = model
    for name in modules:
        owner = owner._modules.get(name) if owner is not None else None
    if owner is None:
        return None
    found = owner._parameters.get(last)
    return owner._buffers.get(last) if found is None else found
