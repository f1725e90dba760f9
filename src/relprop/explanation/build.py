"""Builds the program that explains a captured model by a recipe, and compares it with the model.

Takes a verified graph, gives a `BuiltProgram`. Reads the user's model, and never writes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from ..capture.batch_axes import BatchAxis
from ..capture.bound_model import BoundModel
from ..capture.failure import explain_failure
from ..capture.isolated_copy import isolated_copy
from ..capture.model import CapturedModel, current_state
from ..capture.samples import as_capture_error, first_and_last, select_samples
from ..capture.tolerance import relative_difference, rounding_tolerance
from ..capture.verify import run_model, verified_batch_axes
from ..errors import CaptureError, NumberError, RelpropError
from ..graph.head import original_name
from ..graph.inputs import Inputs
from ..graph.prune import gathers_per_sample, prune
from ..plan.planner import make_plan
from ..program.compiled import CompiledProgram
from ..program.diagnosis import first_difference
from ..program.program import Program, Trace
from ..recipes.recipe import Recipe
from ..support.torch_private import own_buffers, own_parameters

# A parameter or buffer: its value name, the dict of the module that owns it, its key in there.
StateSlot = tuple[str, Mapping[str, Tensor | None], str]


@dataclass(frozen=True)
class BuiltProgram:
    """Everything that is built for one signature of inputs.

    Attributes:
        program: The whole program.
        pruned: The program at those positions alone that the output depends on, for requests that
            do not look inside; the whole one, where the output depends on all of them.
        compiled: The pruned program as one function of torch.compile's, made at its first call.
        batch_axes: Where each value holds its samples; None where their order is not fixed.
        state: Where the model holds each parameter and buffer, so that a call need not search.
        result: Which of several results of the model is explained.
        unproved: Identities of those of its programs that were not yet compared with the model at
            the sizes that it is for, which their graph leaves open: `first_run` does so.
        warned: What was warned of: once for each program.
    """

    program: Program
    pruned: Program
    compiled: CompiledProgram
    batch_axes: Mapping[str, BatchAxis | None]
    state: tuple[StateSlot, ...]
    result: str | int | None = None
    unproved: set[int] = field(default_factory=set, compare=False)
    warned: set[str] = field(default_factory=set, compare=False)


def build_program(
    captured: CapturedModel,
    model: nn.Module,
    inputs: Inputs,
    recipe: Recipe,
    result: str | int | None,
) -> BuiltProgram:
    """Plan, lower and verify the program for a captured model.

    Raises:
        PlanError: An operation has no rule.
        NumberError: The program does not give the graph's output.
        CaptureError: A sample has another output alone than in a batch with another one.
    """
    graph, state = captured.graph, current_state(model, captured.graph)
    program = Program(make_plan(graph, recipe))
    first, _ = first_and_last(graph, inputs)
    expected = captured.expected_output(model, inputs)
    got = program.forward(first.tensors, state).output
    change, limit = relative_difference(got, expected), rounding_tolerance(expected)
    if change > limit:  # the expected output may be of weights that have changed since
        change = relative_difference(got, captured.output_alone(model, inputs))
    if change > limit:
        where = first_difference(program, first.tensors, state, limit)
        how = "to fold its batch norms, or to lay pictures out channels-last,"
        raise _magnified_rounding(model, how, change, where)
    pruned = _prune(program, model, inputs, state, got)
    # The numbers of comparisons are no values of the captured graph, and hide NaN.
    axes = {name: captured.batch_axes.get(original_name(name)) for name in program.plan.forms}
    slots = tuple(_slot(model, name, path) for name, path in graph.state.items())
    return BuiltProgram(program, pruned, CompiledProgram(pruned), axes, slots, result)


class OtherAtSizeError(CaptureError):
    """A model does something else at other sizes, which its graph left open."""


def fit_program(
    built: BuiltProgram, captured: CapturedModel, model: nn.Module, inputs: Inputs
) -> BuiltProgram:
    """Return a program for other sizes, which its graph leaves open.

    What torch.export notes of sizes proves that the operations are those of the model. They are
    compared with it once more for each size, on one sample: by `first_run`, or here where the order
    of samples in a value, as in windows, depends on the size.

    Args:
        built: The program that was built for other sizes.
        captured: The graph that it is of.
        model: The user's model.
        inputs: Of the new sizes.

    Raises:
        OtherAtSizeError: The program does not give the model's output.
        CaptureError: The model cannot take the inputs.
    """
    unproved = {id(built.program), id(built.pruned)}
    fitted = replace(built, compiled=CompiledProgram(built.pruned), unproved=unproved)
    axes = built.batch_axes
    if all(at is None or at.outer == 1 for at in axes.values()):
        return fitted
    expected, state = prove_sizes(fitted, model, inputs), current_state(model, captured.graph)
    found = verified_batch_axes(captured.graph, model, inputs, state, expected)
    return replace(fitted, batch_axes={name: found.get(original_name(name)) for name in axes})


def first_run(
    built: BuiltProgram,
    program: Program,
    model: nn.Module,
    inputs: Inputs,
    run: Callable[[], Trace],
) -> Trace:
    """Run a program at sizes that it was not run at before, and compare it with the model.

    The model runs first, on one sample: what it does not take itself is an error that says so.

    Args:
        built: What was built for these sizes.
        program: One of its programs.
        model: The user's model.
        inputs: A batch.
        run: Runs the program forward on the batch.

    Raises:
        OtherAtSizeError: The program fails, or does not give the model's output for the sample.
        CaptureError: The model cannot take the inputs.
    """
    last, expected = _last_output(built, model, inputs)
    trace = _run_at(last, model, run)
    got = trace.output.detach()
    if got.ndim > 0 and len(got) == inputs.batch:  # any other output is refused by its shape
        _compare(got[-1:], expected, last, model)
        built.unproved.discard(id(program))
    return trace


def prove_sizes(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> Tensor:
    """Compare all programs that were not run at these sizes with the model, on one sample.

    Returns the model's output for it. Raises what `first_run` raises.
    """
    last, expected = _last_output(built, model, inputs)
    for program in (built.program, built.pruned):
        if id(program) in built.unproved:
            state = current_state(model, program.plan.graph)
            trace = _run_at(last, model, partial(program.forward, last.tensors, state))
            _compare(trace.output, expected, last, model)
            built.unproved.discard(id(program))
    return expected


def _last_output(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> tuple[Inputs, Tensor]:
    """Return the last sample, and the model's own output for it alone."""
    _, last = first_and_last(built.program.plan.graph, inputs)
    try:
        with torch.no_grad(), as_capture_error(model, inputs):
            return last, run_model(BoundModel(isolated_copy(model), inputs, built.result), last)
    except CaptureError as error:
        raise explain_failure(error, model, inputs, built.result, None) from error


def _run_at(sample: Inputs, model: nn.Module, run: Callable[[], Trace]) -> Trace:
    try:
        return run()
    except (RelpropError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever torch raises where the model itself does not
        raise _other_at_size(model, sample) from error


def _compare(got: Tensor, expected: Tensor, sample: Inputs, model: nn.Module) -> None:
    if relative_difference(got, expected) > rounding_tolerance(expected):
        raise _other_at_size(model, sample)


def _other_at_size(model: nn.Module, sample: Inputs) -> OtherAtSizeError:
    return OtherAtSizeError(
        f"{type(model).__name__} does something else for inputs of shapes {sample.shapes}",
        "a model that does the same for inputs of all sizes",
        "make a new Explainer for these sizes",
    )


def _slot(model: nn.Module, name: str, path: str) -> StateSlot:
    """Find the module that owns a parameter or buffer. Programs are cached by their modules."""
    owner, _, key = path.rpartition(".")
    module = model.get_submodule(owner)
    is_parameter = own_parameters(module).get(key) is not None
    return name, own_parameters(module) if is_parameter else own_buffers(module), key


def _prune(
    program: Program,
    model: nn.Module,
    inputs: Inputs,
    state: Mapping[str, Tensor],
    expected: Tensor,
) -> Program:
    """Build the program at the positions that the output depends on.

    Returns the whole program where a rule mixes positions, or where the recipe names operations of
    the model, since pruning renames some.

    Args:
        program: The whole program.
        model: The user's model, named in errors.
        inputs: The inputs that programs are built for.
        state: Parameters and buffers by value name.
        expected: The whole program's output for the first sample.

    Raises:
        NumberError: The pruned program gives another output.
    """
    graph, recipe = program.plan.graph, program.plan.recipe
    mixes_positions = any(step.rule and step.rule.mixes for step in program.plan.steps)
    by_operation = any(row.selector.operation is not None for row in recipe.rows)
    if mixes_positions or by_operation:
        return program
    batched = frozenset(graph.inputs[label] for label in inputs.batched)
    pruned_graph = prune(graph, graph.initial_values(inputs.tensors, state), batched)
    if pruned_graph is graph:
        return program
    pruned = Program(make_plan(pruned_graph, recipe), shares_weights_with=program)
    samples, _ = first_and_last(graph, inputs)
    if gathers_per_sample(pruned_graph):  # one sample alone would not show a wrong index
        samples = select_samples(inputs, [0, -1])
        expected = program.forward(samples.tensors, state).output
    change = relative_difference(pruned.forward(samples.tensors, state).output, expected)
    if change > rounding_tolerance(expected):
        how = "to compute the positions alone that it depends on"
        raise _magnified_rounding(model, how, change, "")
    return pruned


def _magnified_rounding(model: nn.Module, how: str, change: float, where: str) -> NumberError:
    return NumberError(
        f"{type(model).__name__} magnifies rounding: {how} changes its output by "
        f"{change:.1%}{where}",
        "a model whose output is stable in its own precision",
        "explain it in float64: model.double() and x.double()",
    )
