"""Builds the program that explains a captured model by a recipe, and compares it with the model.

Takes a verified graph, gives a `BuiltProgram`. Reads the user's model, and never writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..capture.batch_axes import BatchAxis
from ..capture.bound_model import BoundModel
from ..capture.isolated_copy import isolated_copy
from ..capture.model import CapturedModel, current_state
from ..capture.samples import as_capture_error, first_and_last, select_samples
from ..capture.tolerance import relative_difference, rounding_tolerance
from ..capture.verify import run_model, verified_batch_axes
from ..errors import CaptureError, NumberError
from ..graph.head import original_name
from ..graph.inputs import Inputs
from ..graph.prune import gathers_per_sample, prune
from ..plan.planner import make_plan
from ..program.compiled import CompiledProgram
from ..program.diagnosis import first_difference
from ..program.program import Program
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
        unproved: Those of its programs that were not yet compared with the model at the sizes that
            it is for, which their graph leaves open: `prove_sizes` does so at their first run.
        warned: What was warned of: once for each program.
    """

    program: Program
    pruned: Program
    compiled: CompiledProgram
    batch_axes: Mapping[str, BatchAxis | None]
    state: tuple[StateSlot, ...]
    unproved: set[int] = field(default_factory=set, compare=False)
    warned: set[str] = field(default_factory=set, compare=False)


def build_program(
    captured: CapturedModel, model: nn.Module, inputs: Inputs, recipe: Recipe
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
    return BuiltProgram(program, pruned, CompiledProgram(pruned), axes, slots)


class OtherAtSizeError(CaptureError):
    """A model does something else at other sizes, which its graph left open."""


def fit_program(
    built: BuiltProgram, captured: CapturedModel, model: nn.Module, inputs: Inputs
) -> BuiltProgram:
    """Return a program for other sizes, which its graph leaves open.

    What torch.export notes of sizes proves that the operations are those of the model. The first
    run at these sizes is compared with it once more, on one sample, by `prove_sizes`.

    Args:
        built: The program that was built for other sizes.
        captured: The graph that it is of.
        model: The user's model.
        inputs: Of the new sizes.
    """
    axes = built.batch_axes
    if any(at is not None and at.outer > 1 for at in axes.values()):
        # so many windows, say, as the new size has
        state = current_state(model, captured.graph)
        _, last = first_and_last(captured.graph, inputs)
        expected = built.program.forward(last.tensors, state).output
        found = verified_batch_axes(captured.graph, model, inputs, state, expected)
        axes = {name: found.get(original_name(name)) for name in axes}
    unproved = {id(built.program), id(built.pruned)}
    compiled = CompiledProgram(built.pruned)
    return replace(built, batch_axes=axes, compiled=compiled, unproved=unproved)


def prove_sizes(
    built: BuiltProgram,
    program: Program,
    model: nn.Module,
    inputs: Inputs,
    output: str | int | None,
    got: Tensor | None = None,
) -> None:
    """Compare a program with the model, if it was not run at the sizes of these inputs before.

    Args:
        built: What was built for these sizes.
        program: One of its programs.
        model: The user's model.
        inputs: A batch.
        output: Which of several results is explained.
        got: The program's output for the batch; None to run it here on one sample.

    Raises:
        OtherAtSizeError: The program does not give the model's output for the last sample.
    """
    if id(program) not in built.unproved:
        return
    graph = program.plan.graph
    with torch.no_grad():
        _, last = first_and_last(graph, inputs)
        with as_capture_error(model, inputs):
            expected = run_model(BoundModel(isolated_copy(model), inputs, output), last)
        if got is None:
            got = program.forward(last.tensors, current_state(model, graph)).output
        got = got[len(got) - 1 :] if len(got) == inputs.batch else got
        if relative_difference(got, expected) > rounding_tolerance(expected):
            raise OtherAtSizeError(
                f"{type(model).__name__} does something else for inputs of shapes {last.shapes}",
                "a model that does the same for inputs of all sizes",
                "make a new Explainer for these sizes",
            )
    built.unproved.discard(id(program))


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
