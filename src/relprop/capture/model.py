"""From a model to its graph, verified: copy, capture, compare with the model itself.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..errors import CaptureError, PlanError, RelpropError, first_line
from ..graph.analysis import analyse_graph, find_sources
from ..graph.first_nonfinite import describe_first_nonfinite
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..support.numerics import check_finite, is_finite
from .batch_axes import (
    BatchAxis,
    find_batch_axes,
    mixed_samples_error,
    probe_batch,
    run_with_nan_neighbours,
)
from .eval_mode import refuse_train_mode
from .export import BoundModel, export_graph, isolated_copy
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

        Raises CaptureError if the output is not the same beside the last sample.
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


def capture_model(
    model: nn.Module, inputs: Inputs, output: str | int | None, per_input: bool
) -> CapturedModel:
    """Capture the operations that `model` runs on batches like these, and verify them.

    output     which of several results is explained
    per_input  the graph is for these very numbers, and its output is for the whole batch
    Raises CaptureError if the model cannot be read, does not do what was read, or mixes samples;
    PlanError if it is in train mode.
    Not to be run by two threads at once.
    """
    copy = isolated_copy(model)
    with torch.autocast(inputs.first.device.type, enabled=False):
        graph = export_graph(copy, inputs, output, per_input)
    refuse_train_mode(graph.nodes, analyse_graph(graph).dependent)
    _refuse_other_tokens(graph)
    state, (first, last) = current_state(model, graph), first_and_last(graph, inputs)
    both = select_samples(inputs, [0, -1]) if graph.any_batch else inputs
    beside, expected = _run(graph, BoundModel(copy, inputs, output), both, last, inputs)
    _refuse_no_samples(model, beside, expected)
    # A graph is read for two samples or more: on one it must still give the model's own output.
    # What it gives for a sample beside another stands for that, unless it is not the model's.
    end = beside[-len(expected) :]
    if not equal_within_precision(end, expected) and not equal_within_precision(
        graph.run(last.tensors, state), expected
    ):
        raise CaptureError(
            f"{type(model).__name__} on one sample does not do what it does on several",
            "a model that does the same for a batch of any size, and always the same",
            "take conditions on x.shape[0], squeeze() and random numbers out of forward",
        )
    got = beside[: len(expected)]
    for one, found in ((first, got), (last, expected)):  # what is not finite is like anything
        where = "" if is_finite(found) else describe_first_nonfinite(graph, one.tensors, state)
        start = 0 if one is first else inputs.batch - one.batch
        todo = "check the model's weights and the scale of x"
        check_finite(found, "model's output", where, todo, start)
    if not equal_within_rounding(end, expected):
        raise mixed_samples_error("the model")
    return CapturedModel(graph, _layouts(graph, model, inputs, state, expected), got)


def verify_saved(
    read: CapturedModel, model: nn.Module, inputs: Inputs, output: str | int | None
) -> CapturedModel:
    """Check that a graph captured in another session gives the output of this model.

    Raises CaptureError if it does not.
    """
    first, _ = first_and_last(read.graph, inputs)
    bound = BoundModel(isolated_copy(model), inputs, output)
    got, expected = _run(read.graph, bound, first, first, inputs)
    if not equal_within_precision(got, expected):
        raise CaptureError(
            f"{type(model).__name__} does not do what the model did that the plan was saved of",
            "a model of the same architecture, in eval mode",
            "read the model anew: relprop.Explainer(model)",
        )
    return replace(read, output=got)


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


def first_and_last(graph: Graph, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """The first sample and the last; for a graph of one batch, that batch."""
    if not graph.any_batch:
        return inputs, inputs
    return select_samples(inputs, [0]), select_samples(inputs, [-1])


def select_samples(inputs: Inputs, samples: list[int]) -> Inputs:
    """These samples as one batch."""
    return inputs.per_sample(lambda t: t[samples])


def _run(
    graph: Graph, called: BoundModel, some: Inputs, one: Inputs, inputs: Inputs
) -> tuple[Tensor, Tensor]:
    """What a graph gives for some samples, and its model, which may write its inputs, for one."""
    with as_capture_error(called.model, inputs):
        got = graph.run(some.tensors, current_state(called.model, graph))
        return got, called(*(tensor.clone() for tensor in one.tensors.values()))


@contextmanager
def as_capture_error(model: nn.Module, inputs: Inputs) -> Iterator[None]:
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


def _layouts(
    graph: Graph, model: nn.Module, inputs: Inputs, state: Mapping[str, Tensor], expected: Tensor
) -> Mapping[str, BatchAxis | None]:
    """Layouts, and CaptureError if NaN in other samples changes what the model makes of one.

    expected  what it makes of the last sample; in a graph of one batch, of all
    """
    some, alone = inputs, {k: expected[k : k + 1] for k in (0, inputs.batch - 1)}
    if graph.any_batch:
        some, alone = select_samples(inputs, probe_batch(graph)), {1: expected}
    with as_capture_error(model, inputs):
        probes = {k: run_with_nan_neighbours(graph, some.tensors, state, k) for k in alone}
    layouts = find_batch_axes(graph, probes, some.batch)
    if not all(equal_within_rounding(probes[k][graph.output][k : k + 1], alone[k]) for k in alone):
        raise mixed_samples_error("the model")
    return layouts


def current_state(model: nn.Module, graph: Graph, detached: bool = True) -> Mapping[str, Tensor]:
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
