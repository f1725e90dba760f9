"""Captures a model: exports its graph, verifies it against the model, and finds batch axes.

Takes the user's model, which it never writes, and the inputs of a call. Gives a CapturedModel, of
which nothing has to be checked again. Knows nothing of rules or relevance.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import CaptureError, PlanError, RelpropError, first_line
from ..graph.analysis import analyse_graph, find_sources
from ..graph.first_nonfinite import describe_first_nonfinite
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..support.numerics import check_finite, is_finite
from ..support.torch_private import own_buffers, own_modules, own_parameters
from .batch_axes import (
    BatchAxis,
    find_batch_axes,
    mixed_samples_error,
    probe_batch,
    run_with_nan_neighbours,
)
from .bound_model import BoundModel
from .eval_mode import refuse_train_mode
from .export import export_graph
from .isolated_copy import isolated_copy
from .tolerance import equal_within_precision, equal_within_rounding


@dataclass(frozen=True)
class CapturedModel:
    """A model's graph, verified against the model itself.

    Attributes:
        graph: The operations that the model runs.
        batch_axes: Value name -> where it holds the samples; None where their order is not fixed.
        output: The graph's output for the first sample of the batch it was captured on, computed
            beside the last sample; for a graph of one batch, for all samples. None if it has to be
            computed again, see `without_output`.
    """

    graph: Graph
    batch_axes: Mapping[str, BatchAxis | None]
    output: Tensor | None = field(default=None, repr=False, compare=False)

    def without_output(self) -> "CapturedModel":
        """Drop the output, which is right only for the weights at the time of the capture."""
        return replace(self, output=None)

    def expected_output(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Return the output for the first sample: the stored one, else that of a run of the graph.

        The stored one was computed beside another sample, see `output_alone`.
        """
        if self.output is not None:
            return self.output
        first, _ = first_and_last(self.graph, inputs)
        with as_capture_error(model, inputs):
            return self._run(model, first)

    def output_alone(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Run the graph on the first sample alone.

        Raises:
            CaptureError: If the output is not the same beside the last sample.
        """
        first, _ = first_and_last(self.graph, inputs)
        alone = self._run(model, first)
        if self.graph.any_batch:
            both = self._run(model, select_samples(inputs, [0, -1]))
            if not equal_within_rounding(both[:1], alone):
                raise mixed_samples_error("the model")
        return alone

    def _run(self, model: nn.Module, inputs: Inputs) -> Tensor:
        output: Tensor = self.graph.run(inputs.tensors, current_state(model, self.graph))
        return output


# ---- capture -------------------------------------------------------------------------------


def capture_model(
    model: nn.Module, inputs: Inputs, output: str | int | None, per_input: bool
) -> CapturedModel:
    """Capture the operations that `model` runs on batches like these, and verify them.

    Not to be called by two threads at once: torch.export keeps global state.

    Args:
        model: Of the user; it is not changed.
        inputs: What it is called with.
        output: Which of several results is explained: a key, an attribute or an index.
        per_input: The graph is for these very numbers, and its output is for the whole batch.

    Raises:
        CaptureError: If the model cannot be exported, if the graph gives another output than the
            model, or if one sample changes the output of another.
        PlanError: If the model is in train mode.
        NumberError: If an output is not finite.
    """
    copy = isolated_copy(model)
    # The casts of autocast must not become part of the graph, which runs under the caller's own.
    with torch.autocast(inputs.first.device.type, enabled=False):
        graph = export_graph(copy, inputs, output, per_input)
    refuse_train_mode(graph, analyse_graph(graph).dependent, copy)
    _refuse_unembedded_integers(graph)
    state = current_state(model, graph)
    outputs = _verified_outputs(graph, BoundModel(copy, inputs, output), inputs, state)
    axes = _verified_batch_axes(graph, model, inputs, state, outputs.last)
    return CapturedModel(graph, axes, outputs.first)


def verify_saved(
    saved: CapturedModel, model: nn.Module, inputs: Inputs, output: str | int | None
) -> CapturedModel:
    """Check that a graph captured in another session gives the output of this model.

    Raises:
        CaptureError: If it does not.
    """
    first, _ = first_and_last(saved.graph, inputs)
    bound = BoundModel(isolated_copy(model), inputs, output)
    with as_capture_error(model, inputs):
        got = saved.graph.run(first.tensors, current_state(bound.model, saved.graph))
        expected = _run_model(bound, first)
    if not equal_within_precision(got, expected):
        raise CaptureError(
            f"{type(model).__name__} does not do what the model did that the plan was saved of",
            "a model of the same architecture, in eval mode",
            "capture this model instead: relprop.Explainer(model)",
        )
    return replace(saved, output=got)


# ---- verification --------------------------------------------------------------------------


class _Outputs(NamedTuple):
    """The graph's output for the first sample, beside the last; the model's for the last, alone."""

    first: Tensor
    last: Tensor


def _verified_outputs(
    graph: Graph, bound: BoundModel, inputs: Inputs, state: Mapping[str, Tensor]
) -> _Outputs:
    """Compare the graph on two samples with the model on one.

    One run of each is enough: it shows that the graph gives the model's numbers, that samples do
    not change each other, and what the graph gives for the first sample, which programs are
    compared with.
    """
    first, last = first_and_last(graph, inputs)
    both = select_samples(inputs, [0, -1]) if graph.any_batch else inputs
    with as_capture_error(bound.model, inputs):
        beside = graph.run(both.tensors, state)
        expected = _run_model(bound, last)
    _refuse_scalar_output(bound.model, beside, expected)
    got_first, got_last = beside[: len(expected)], beside[-len(expected) :]
    # The graph was exported for two samples or more. If its output for the last one beside another
    # is not the model's, either samples change each other or the model treats one sample
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
    return _Outputs(got_first, expected)


def _run_model(bound: BoundModel, inputs: Inputs) -> Tensor:
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


def _refuse_unembedded_integers(graph: Graph) -> None:
    """Refuse relevance of integers that no embedding looks up, such as a mask beside token ids."""
    explained_alone = {
        label: replace(graph, explained=(name,), tokens=(name,))
        for label, name in graph.inputs.items()
    }
    ids = [label for label, alone in explained_alone.items() if find_sources(alone)]
    unused = set(graph.tokens) - set(find_sources(graph).values())
    for label, name in graph.inputs.items():
        if name in unused and ids:
            raise PlanError(
                f'relevance of the input "{label}", integers that no embedding looks up',
                f"floating point numbers, or token ids: {_quoted(ids)}",
                f'write explain="{ids[0]}"',
            )


def _verified_batch_axes(
    graph: Graph, model: nn.Module, inputs: Inputs, state: Mapping[str, Tensor], expected: Tensor
) -> Mapping[str, BatchAxis | None]:
    """Find batch axes, and refuse a model in which NaN of other samples changes an output.

    expected  the model's output for the last sample; for a graph of one batch, for all samples
    """
    if graph.any_batch:
        batch, outputs = select_samples(inputs, probe_batch(graph)), {1: expected}
    else:
        batch, outputs = inputs, {k: expected[k : k + 1] for k in (0, inputs.batch - 1)}
    with as_capture_error(model, inputs):
        probes = {k: run_with_nan_neighbours(graph, batch.tensors, state, k) for k in outputs}
    axes = find_batch_axes(graph, probes, batch.batch)
    for k, output in outputs.items():
        if not equal_within_rounding(probes[k][graph.output][k : k + 1], output):
            raise mixed_samples_error("the model")
    return axes


@contextmanager
def as_capture_error(model: nn.Module, inputs: Inputs) -> Iterator[None]:
    """Turn any error of a run on more or fewer samples than the user's into a CaptureError."""
    try:
        yield
    except RelpropError:
        raise
    except Exception as error:
        raise CaptureError(
            f"{type(model).__name__} fails on other numbers of samples than {inputs.batch}: "
            f"{first_line(error)}; {_quoted(inputs.batched)} are taken to hold samples",
            "a model that takes any number of samples, and shared inputs whose first size "
            f"is not {inputs.batch}",
            "give a batch of another size if one of these inputs holds no samples",
        ) from error


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# ---- samples and weights -------------------------------------------------------------------


def first_and_last(graph: Graph, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Select the first sample and the last; for a graph of one batch, all samples twice."""
    if not graph.any_batch:
        return inputs, inputs
    return select_samples(inputs, [0]), select_samples(inputs, [-1])


def select_samples(inputs: Inputs, samples: list[int]) -> Inputs:
    """Select samples by index, as one batch."""
    return inputs.per_sample(lambda t: t[samples])


def current_state(model: nn.Module, graph: Graph, detached: bool = True) -> Mapping[str, Tensor]:
    """Look up the model's parameters and buffers as they are now.

    Returns:
        Value name of the graph -> tensor; with its autograd history unless `detached`.

    Raises:
        CaptureError: If the model no longer has one of them.
    """
    state = dict[str, Tensor]()
    for name, path in graph.state.items():
        tensor = _registered(model, path)
        if tensor is None:
            raise CaptureError(
                f'the model no longer has "{path}", which it had when it was captured',
                "a model whose parameters and buffers change their values alone",
                "make a new Explainer after a change of the model",
            )
        state[name] = tensor.detach() if detached else tensor
    return state


def _registered(model: nn.Module, path: str) -> Tensor | None:
    """Find a parameter or buffer. `get_parameter` would take longer than small layers do."""
    *modules, last = path.split(".")
    owner: nn.Module | None = model
    for name in modules:
        owner = own_modules(owner).get(name) if owner is not None else None
    if owner is None:
        return None
    parameter = own_parameters(owner).get(last)
    return own_buffers(owner).get(last) if parameter is None else parameter
