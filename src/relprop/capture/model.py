"""From a model to its graph, verified: copy, capture, compare with the model itself.

Takes the user's model, which it reads and never writes.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..errors import CaptureError, PlanError, RelpropError, first_line
from ..graph.analysis import find_facts, find_sources
from ..graph.first_nonfinite import first_in_forward
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..support.numerics import check_finite, is_finite
from .batch_axes import Layout, beside_nan, company, find_layouts, mixes
from .eval_mode import refuse_train_mode
from .export import Called, capture, twin
from .tolerance import is_alike, is_same


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
    state, (first, last) = state_of(model, graph), ends(graph, inputs)
    both = chosen_samples(inputs, [0, -1]) if graph.any_batch else inputs
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
    first, _ = ends(read.graph, inputs)
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


def ends(graph: Graph, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """The first sample and the last; for a graph of one batch, that batch."""
    if not graph.any_batch:
        return inputs, inputs
    return chosen_samples(inputs, [0]), chosen_samples(inputs, [-1])


def chosen_samples(inputs: Inputs, samples: list[int]) -> Inputs:
    """These samples as one batch."""
    return inputs.per_sample(lambda t: t[samples])


def _run(
    graph: Graph, called: Called, some: Inputs, one: Inputs, inputs: Inputs
) -> tuple[Tensor, Tensor]:
    """What a graph gives for some samples, and its model, which may write its inputs, for one."""
    with named_failure(called.model, inputs):
        got = graph.run(some.tensors, state_of(called.model, graph))
        return got, called(*(tensor.clone() for tensor in one.tensors.values()))


@contextmanager
def named_failure(model: nn.Module, inputs: Inputs) -> Iterator[None]:
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
) -> Mapping[str, Layout | None]:
    """Layouts, and CaptureError if NaN in other samples changes what the model makes of one.

    expected  what it makes of the last sample; in a graph of one batch, of all
    """
    some, alone = inputs, {k: expected[k : k + 1] for k in (0, inputs.batch - 1)}
    if graph.any_batch:
        some, alone = chosen_samples(inputs, company(graph)), {1: expected}
    with named_failure(model, inputs):
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
