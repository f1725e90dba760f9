"""From a model to a program: copy, capture, compare with the model itself, plan, compare again.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ..capture.batch_axes import BatchAxis
from ..capture.model import CapturedModel, current_state
from ..capture.samples import first_and_last, select_samples
from ..capture.tolerance import relative_difference, rounding_tolerance
from ..errors import NumberError
from ..graph.inputs import Inputs
from ..graph.prune import gathers_per_sample, prune
from ..plan.planner import make_plan
from ..program.compiled import CompiledProgram
from ..program.diagnosis import first_apart
from ..program.program import Program
from ..recipes.recipe import Recipe


@dataclass(frozen=True)
class Made:
    """A program, and where each of its values holds its samples (None: in no fixed order).

    narrowed  the same at those positions alone that the output needs: for all who do not look
              inside; the program itself, where it needs them all
    compiled  that as one function of torch.compile's, made when first called
    """

    program: Program
    layouts: Mapping[str, BatchAxis | None]
    narrowed: Program
    compiled: CompiledProgram


def make_program(
    read: CapturedModel,
    model: nn.Module,
    inputs: Inputs,
    recipe: Recipe,
) -> Made:
    """The program that explains by `recipe` what was read of `model`.

    Raises PlanError if an operation has no rule; NumberError if the output is not what was read
    gives; CaptureError if that for a sample alone is not what is expected.
    """
    graph, state = read.graph, current_state(model, read.graph)
    program = Program(make_plan(graph, recipe))
    first, _ = first_and_last(graph, inputs)
    expected = read.expected_output(model, inputs)
    got = program.forward(first.tensors, state).output
    change, limit = relative_difference(got, expected), rounding_tolerance(expected)
    if change > limit:  # what is expected may be of numbers that are no longer there
        change = relative_difference(got, read.output_alone(model, inputs))
    if change > limit:
        where = first_apart(program, first.tensors, state, limit)
        how = "to fold its batch norms, or to lay pictures out channels-last,"
        raise _magnifies(model, how, change, where)
    narrow = _narrowed(program, model, inputs, state, got)
    layouts = {name: at for name, at in read.batch_axes.items() if name in program.plan.forms}
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
    found = prune(graph, graph.initial_values(inputs.tensors, state), batched)
    if found is graph:
        return program
    narrow, (some, _) = (
        Program(make_plan(found, recipe), shares_weights_with=program),
        first_and_last(graph, inputs),
    )
    if gathers_per_sample(found):
        some = select_samples(inputs, [0, -1])
        expected = program.forward(some.tensors, state).output
    change = relative_difference(narrow.forward(some.tensors, state).output, expected)
    if change > rounding_tolerance(expected):
        raise _magnifies(model, "to compute those positions alone that it needs", change, "")
    return narrow


def _magnifies(model: nn.Module, how: str, change: float, where: str) -> NumberError:
    return NumberError(
        f"{type(model).__name__} magnifies rounding: {how} changes its output by "
        f"{change:.1%}{where}",
        "a model whose output is stable in its own precision",
        "explain it in float64: model.double() and x.double()",
    )
