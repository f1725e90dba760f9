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
from ..capture.samples import as_capture_error, first_and_last
from ..capture.tolerance import equal_within_precision, equal_within_rounding
from ..capture.verify import run_model
from ..errors import CaptureError, RelpropError
from ..graph.inputs import Inputs
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
        _compare(got[-1:], expected, built, program, model, inputs)
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
        run = partial(program.forward, last.tensors, current_state(model, program.plan.graph))
        got = _run_at(built, model, inputs, run).output
        _compare(got, expected, built, program, model, inputs)
    return expected


def _last_output(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the model's own output for the last sample alone."""
    if built.expected is not None:
        return built.expected
    _, last = first_and_last(built.program.plan.graph, inputs)
    try:
        with torch.no_grad(), as_capture_error(model, inputs):
            return run_model(BoundModel(isolated_copy(model), inputs, built.result), last)
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
    proved, sizes = built.proved[id(program)], program.plan.graph.sizes
    # A program of a verified graph, or one that was compared before, may round in its own way.
    alike = equal_within_rounding if built.verified or proved.ranges else equal_within_precision
    if not alike(got, expected):
        raise _other_at_size(model, inputs)
    proved.add(inputs.shapes, sizes.free if sizes else ())
    built.new.discard(id(program))


def _other_at_size(model: nn.Module, inputs: Inputs) -> OtherAtSizeError:
    return OtherAtSizeError(
        f"{type(model).__name__} does something else for inputs of shapes {inputs.shapes}",
        "a model that does the same for inputs of all sizes",
        "make a new Explainer for these sizes",
    )
