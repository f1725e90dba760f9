"""Verifies a graph against its model, and refuses models that it cannot stand for.

Takes a graph, the model it was exported from, and a batch. Knows nothing of how it was exported.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from ..errors import CaptureError, PlanError
from ..graph.analysis import find_sources
from ..graph.first_nonfinite import describe_first_nonfinite
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..support.checks import check_finite, is_finite
from .batch_axes import (
    BatchAxis,
    find_batch_axes,
    mixed_samples_error,
    probe_batch,
    run_probe,
)
from .bound_model import BoundModel
from .samples import as_capture_error, first_and_last, select_samples
from .tolerance import equal_within_precision, equal_within_rounding


class VerifiedOutputs(NamedTuple):
    """Outputs for two samples of a batch.

    Attributes:
        first: The graph's output for the first sample, computed in a batch with the last one.
        last: The model's output for the last sample alone.
    """

    first: Tensor
    last: Tensor


def verified_outputs(
    graph: Graph, bound: BoundModel, inputs: Inputs, state: Mapping[str, Tensor]
) -> VerifiedOutputs:
    """Compare the graph on two samples with the model on one.

    One run of each is enough: it shows that the graph gives the model's numbers, that samples do
    not change each other, and what the graph gives for the first sample, which programs are
    compared with.
    """
    first, last = first_and_last(graph, inputs)
    both = select_samples(inputs, [0, -1]) if graph.any_batch else inputs
    with as_capture_error(bound.model, inputs):
        got = graph.run(both.tensors, state)
        expected = run_model(bound, last)
    _refuse_scalar_output(bound.model, got, expected)
    got_first, got_last = got[: len(expected)], got[-len(expected) :]
    # The graph was exported for two samples or more. If its output for the last one, in a batch of
    # two, is not the model's, either samples change each other or the model treats one sample
    # differently. The graph on one sample tells which.
    if not equal_within_precision(got_last, expected) and not equal_within_precision(
        graph.run(last.tensors, state), expected
    ):
        raise CaptureError(
            f"{type(bound.model).__name__} on one sample does not do what it does on several",
            "a model that does the same for a batch of any size, and always the same",
            "take conditions on x.shape[0], squeeze() and random numbers out of forward",
        )
    # Before the last comparison: an output that is not finite would pass it, whatever it is.
    _refuse_nonfinite(graph, first, got_first, state, start=0)
    _refuse_nonfinite(graph, last, expected, state, start=inputs.batch - last.batch)
    if not equal_within_rounding(got_last, expected):
        raise mixed_samples_error("the model")
    return VerifiedOutputs(got_first, expected)


def output_for_last(bound: BoundModel, graph: Graph, inputs: Inputs) -> Tensor | None:
    """Return the model's output for the last sample alone; None if it can be no such output."""
    _, last = first_and_last(graph, inputs)
    with as_capture_error(bound.model, inputs):
        expected = run_model(bound, last)
    return expected if expected.ndim > 0 and is_finite(expected) else None


def run_model(bound: BoundModel, inputs: Inputs) -> Tensor:
    """Run the model on copies of the inputs, which it may write."""
    output: Tensor = bound(*(tensor.clone() for tensor in inputs.tensors.values()))
    return output


def _refuse_nonfinite(
    graph: Graph, inputs: Inputs, output: Tensor, state: Mapping[str, Tensor], start: int
) -> None:
    first = "" if is_finite(output) else describe_first_nonfinite(graph, inputs.tensors, state)
    todo = "check the model's weights and the scale of x"
    check_finite(output, "model's output", first, todo, start)


def _refuse_scalar_output(model: nn.Module, *outputs: Tensor) -> None:
    if any(output.ndim == 0 for output in outputs):
        raise CaptureError(
            f"the output of {type(model).__name__} is a single number for one sample",
            "an output whose first dimension holds the samples",
            "take sums over samples and squeeze() out of forward",
        )


def refuse_unembedded_integers(graph: Graph) -> None:
    """Refuse relevance of integers that no embedding looks up, such as an attention mask."""
    explained_alone = {
        label: replace(graph, explained=(name,), tokens=(name,))
        for label, name in graph.inputs.items()
    }
    ids = [label for label, alone in explained_alone.items() if find_sources(alone)]
    quoted = ", ".join(f'"{label}"' for label in ids)
    unused = set(graph.tokens) - set(find_sources(graph).values())
    for label, name in graph.inputs.items():
        if name in unused and ids:
            raise PlanError(
                f'relevance of the input "{label}", integers that no embedding looks up',
                f"floating point numbers, or token ids: {quoted}",
                f'write explain="{ids[0]}"',
            )


def verified_batch_axes(
    graph: Graph, model: nn.Module, inputs: Inputs, state: Mapping[str, Tensor], expected: Tensor
) -> Mapping[str, BatchAxis | None]:
    """Find batch axes, and refuse a model in which NaN of other samples changes an output.

    Args:
        graph: The operations of `model`.
        model: Its name stands in errors.
        inputs: A batch of the user's.
        state: Parameters and buffers, by value name.
        expected: The model's output for the last sample; for a graph of one batch, for all.
    """
    if graph.any_batch:
        batch, outputs = select_samples(inputs, probe_batch(graph)), {1: expected}
    else:
        batch, outputs = inputs, {k: expected[k : k + 1] for k in (0, inputs.batch - 1)}
    with as_capture_error(model, inputs):
        probes = {k: run_probe(graph, batch, state, k) for k in outputs}
        ambiguous = graph.any_batch and probes[1].is_ambiguous
        more = [run_probe(graph, batch, state, 0)] if ambiguous else []
    axes = find_batch_axes(graph, [*probes.values(), *more])
    for k, output in outputs.items():
        if not equal_within_rounding(probes[k].output, output):
            raise mixed_samples_error("the model")
    return axes
