"""Compares a program with the model by its first run, and at sizes that its graph leaves open.

A graph whose operations are known to keep samples apart is not run itself: the first run of each of
its programs is compared with the model, on one sample. torch.export notes each condition on sizes
that the model's code and torch's operations depend on: where they hold, the operations are those of
the model. Beyond that, a program is compared at each size that is smaller or larger than before.
Takes a `BuiltProgram` and inputs. Reads the user's model, and never writes it.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn

from ..capture.bound_model import BoundModel
from ..capture.failure import explain_failure
from ..capture.isolated_copy import isolated_copy
from ..capture.model import current_state
from ..capture.samples import as_capture_error, first_and_last, select_samples
from ..capture.tolerance import equal_within_precision, equal_within_rounding
from ..capture.verify import run_model
from ..errors import CaptureError, RelpropError
from ..graph.inputs import Inputs
from ..graph.prune import gathers_per_sample
from ..program.program import Program, Trace
from .built_program import BuiltProgram


class OtherAtSizeError(CaptureError):
    """A model does something else at other sizes, which its graph left open."""


def first_run(
    built: BuiltProgram,
    program: Program,
    model: nn.Module,
    inputs: Inputs,
    run: Callable[[], Trace],
) -> Trace:
    """Run a program for the first time at these sizes; compare it if they are not proved.

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
    if built.proved[id(program)].cover(inputs.shapes):
        trace = _run_at(built, model, inputs, run)
        built.new.discard(id(program))
        return trace
    expected = _last_output(built, model, inputs)
    trace = _run_at(built, model, inputs, run)
    got = trace.output.detach()
    if got.ndim > 0 and len(got) == inputs.batch:  # any other output is refused by its shape
        _compare(got, expected, built, program, model, inputs)
    return trace


def prove_sizes(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> None:
    """Compare the programs with the model, on one sample, if these sizes are not proved.

    Raises:
        OtherAtSizeError: A program fails, or does not give the model's output for the sample.
        CaptureError: The model cannot take the inputs.
    """
    other = [one for one in built.programs if not built.proved[id(one)].cover(inputs.shapes)]
    if other:
        compare_with_model(built, other, model, inputs)


def compare_with_model(
    built: BuiltProgram, programs: Iterable[Program], model: nn.Module, inputs: Inputs
) -> Tensor:
    """Compare programs with the model on the last sample; return the model's output for it.

    Raises what `prove_sizes` raises.
    """
    expected = _last_output(built, model, inputs)
    _, last = first_and_last(built.program.plan.graph, inputs)
    for program in programs:
        two = _has_index_of_each(program, inputs) and _is_first_of(program, built)
        some = select_samples(inputs, [0, -1]) if two else last
        run = partial(program.forward, some.tensors, current_state(model, program.plan.graph))
        got = _run_at(built, model, inputs, run).output
        _compare(got, expected, built, program, model, inputs)
    return expected


def _is_first_of(program: Program, built: BuiltProgram) -> bool:
    """Tell whether neither a program nor its graph was compared with the model before."""
    return not built.verified and not built.proved[id(program)].ranges


def _has_index_of_each(program: Program, inputs: Inputs) -> bool:
    """Tell whether one sample would not show that a program takes another one's positions."""
    return inputs.batch > 1 and gathers_per_sample(program.plan.graph)


def _last_output(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the model's own output for the last sample alone."""
    if built.expected is not None:
        return built.expected
    return _output_alone(built, model, inputs, -1)


def _output_alone(built: BuiltProgram, model: nn.Module, inputs: Inputs, at: int) -> Tensor:
    """Return the model's own output for one sample alone; for a graph of one batch, for all."""
    any_batch = built.program.plan.graph.any_batch
    one = select_samples(inputs, [at]) if any_batch else inputs
    try:
        with torch.no_grad(), as_capture_error(model, inputs):
            return run_model(BoundModel(isolated_copy(model), inputs, built.result), one)
    except CaptureError as error:
        raise explain_failure(error, model, inputs, built.result, None) from error


def _run_at(
    built: BuiltProgram, model: nn.Module, inputs: Inputs, run: Callable[[], Trace]
) -> Trace:
    try:
        return run()
    except (RelpropError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever torch raises
        _last_output(built, model, inputs)  # what the model does not take is said
        raise _other_at_size(model, inputs) from error


def _compare(
    got: Tensor,
    expected: Tensor,
    built: BuiltProgram,
    program: Program,
    model: nn.Module,
    inputs: Inputs,
) -> None:
    """Compare the last output with the model's.

    A program that was not compared before has to be as precise as its graph would be, if that was
    not either; later, or of a verified graph, it may round in its own way.
    """
    first = _is_first_of(program, built)
    alike = equal_within_precision if first else equal_within_rounding
    if not alike(got[-len(expected) :], expected):
        raise _other_at_size(model, inputs)
    if first and _has_index_of_each(program, inputs):
        other = _output_alone(built, model, inputs, 0)
        if not alike(got[: len(other)], other):
            raise _other_at_size(model, inputs)
    proved, sizes = built.proved[id(program)], program.plan.graph.sizes
    proved.add(inputs.shapes, sizes.free if sizes else ())
    built.new.discard(id(program))


def _other_at_size(model: nn.Module, inputs: Inputs) -> OtherAtSizeError:
    return OtherAtSizeError(
        f"{type(model).__name__} does something else for inputs of shapes {inputs.shapes}",
        "a model that does the same for inputs of all sizes",
        "make a new Explainer for these sizes",
    )
