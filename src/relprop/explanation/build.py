"""Builds the program that explains a captured model by a recipe, and compares it with the model.

Takes a captured graph, gives a `BuiltProgram`. Reads the user's model, and never writes it.
"""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from ..capture.model import CapturedModel, current_state
from ..capture.samples import first_and_last, select_samples
from ..capture.tolerance import relative_difference, rounding_tolerance
from ..capture.verify import verified_batch_axes
from ..errors import NumberError
from ..graph.head import original_name
from ..graph.inputs import Inputs
from ..graph.prune import gathers_per_sample, prune
from ..plan.planner import make_plan
from ..program.compiled import CompiledProgram
from ..program.diagnosis import first_difference
from ..program.program import Program
from ..recipes.recipe import Recipe
from ..support.torch_private import own_buffers, own_parameters
from .built_program import BuiltProgram, ProvedSizes, StateSlot
from .prove_sizes import compare_with_model


def build_program(
    captured: CapturedModel,
    model: nn.Module,
    inputs: Inputs,
    recipe: Recipe,
    result: str | int | None,
) -> BuiltProgram:
    """Plan and lower the program for a captured model.

    It is compared with the graph, if that was compared with the model; if not, with the model, by
    its first run, see `first_run`.

    Raises:
        PlanError: An operation has no rule.
        NumberError: The program does not give the graph's output.
        CaptureError: A sample has another output alone than in a batch with another one.
    """
    graph, state = captured.graph, current_state(model, captured.graph)
    program = Program(make_plan(graph, recipe))
    pruned = _prune(program, inputs, state)
    if captured.verified:
        _compare_with_graph(program, captured, model, inputs)
        _compare_pruned(pruned, program, model, inputs)
    # The numbers of comparisons are no values of the captured graph, and hide NaN.
    axes = {name: captured.batch_axes.get(original_name(name)) for name in program.plan.forms}
    slots = tuple(_slot(model, name, path) for name, path in graph.state.items())
    proved = {id(one): ProvedSizes() for one in (program, pruned)}
    if captured.verified and graph.sizes and graph.sizes.captured == inputs.shapes:
        for one in proved.values():
            one.add(inputs.shapes, graph.sizes.free)
    new = set[int]() if captured.verified else set(proved)
    compiled = CompiledProgram(pruned)
    return BuiltProgram(
        program, pruned, compiled, axes, slots, result, proved, captured.verified, new
    )


def _compare_with_graph(
    program: Program, captured: CapturedModel, model: nn.Module, inputs: Inputs
) -> None:
    """Compare a program with its graph, which was compared with the model.

    Raises:
        NumberError: It gives another output for the first sample.
    """
    state = current_state(model, captured.graph)
    first, _ = first_and_last(captured.graph, inputs)
    expected = captured.expected_output(model, inputs)
    got = program.forward(first.tensors, state).output
    change, limit = relative_difference(got, expected), rounding_tolerance(expected)
    if change > limit:  # the expected output may be of weights that have changed since
        change = relative_difference(got, captured.output_alone(model, inputs))
    if change > limit:
        where = first_difference(program, first.tensors, state, limit)
        how = "to fold its batch norms, or to lay pictures out channels-last,"
        raise _magnified_rounding(model, how, change, where)


def _compare_pruned(pruned: Program, program: Program, model: nn.Module, inputs: Inputs) -> None:
    """Compare a pruned program with the whole one.

    Raises:
        NumberError: It gives another output.
    """
    if pruned is program:
        return
    samples, _ = first_and_last(program.plan.graph, inputs)
    if gathers_per_sample(pruned.plan.graph):  # one sample alone would not show a wrong index
        samples = select_samples(inputs, [0, -1])
    state = current_state(model, program.plan.graph)
    expected = program.forward(samples.tensors, state).output
    change = relative_difference(pruned.forward(samples.tensors, state).output, expected)
    if change > rounding_tolerance(expected):
        how = "to compute the positions alone that it depends on"
        raise _magnified_rounding(model, how, change, "")


def fit_program(
    built: BuiltProgram, captured: CapturedModel, model: nn.Module, inputs: Inputs
) -> BuiltProgram:
    """Return a program for other sizes, which its graph leaves open.

    It is compared with the model by its first run there, see `first_run`; or here, at every size,
    where the order of samples in a value, as in windows, depends on the size.

    Args:
        built: The program that was built for other sizes.
        captured: The graph that it is of.
        model: The user's model.
        inputs: Of the new sizes.

    Raises:
        OtherAtSizeError: The program does not give the model's output.
        CaptureError: The model cannot take the inputs.
    """
    new = {id(one) for one in built.programs}
    fitted = replace(built, compiled=CompiledProgram(built.pruned), new=new)
    axes = built.batch_axes
    if all(at is None or at.outer == 1 for at in axes.values()):
        return fitted
    expected = compare_with_model(fitted, built.programs, model, inputs)
    state = current_state(model, captured.graph)
    found = verified_batch_axes(captured.graph, model, inputs, state, expected)
    return replace(fitted, batch_axes={name: found.get(original_name(name)) for name in axes})


def _slot(model: nn.Module, name: str, path: str) -> StateSlot:
    """Find the module that owns a parameter or buffer. Programs are cached by their modules."""
    owner, _, key = path.rpartition(".")
    module = model.get_submodule(owner)
    is_parameter = own_parameters(module).get(key) is not None
    return name, own_parameters(module) if is_parameter else own_buffers(module), key


def _prune(program: Program, inputs: Inputs, state: Mapping[str, Tensor]) -> Program:
    """Build the program at the positions that the output depends on.

    Returns the whole program where a rule mixes positions, or where the recipe names operations of
    the model, since pruning renames some.
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
    return Program(make_plan(pruned_graph, recipe), shares_weights_with=program)


def _magnified_rounding(model: nn.Module, how: str, change: float, where: str) -> NumberError:
    return NumberError(
        f"{type(model).__name__} magnifies rounding: {how} changes its output by "
        f"{change:.1%}{where}",
        "a model whose output is stable in its own precision",
        "explain it in float64: model.double() and x.double()",
    )
