"""Captures a model: exports its graph, verifies it against the model, and finds batch axes.

Takes the user's model, which it never writes, and the inputs of a call. Gives a CapturedModel, of
which nothing has to be checked again. Knows nothing of rules or relevance.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import CaptureError, PlanError
from ..graph.analysis import analyse_graph
from ..graph.inputs import Inputs
from ..graph.ir import Graph
from ..graph.sizes import Place
from ..support.torch_private import own_buffers, own_modules, own_parameters
from .attributes import Attribute
from .batch_axes import BatchAxis, mixed_samples_error
from .bound_model import BoundModel
from .configuration import Configuration
from .eval_mode import refuse_train_mode
from .export import export_graph
from .failure import explain_failure
from .isolated_copy import isolated_copy
from .masks import Masks, MaskSigns
from .sample_axes import sample_axes
from .samples import as_capture_error, first_and_last, select_samples
from .saved_flags import check_flags
from .tolerance import equal_within_precision, equal_within_rounding
from .trial import Trial
from .verify import (
    output_for_last,
    refuse_unembedded_integers,
    run_model,
    verified_batch_axes,
    verified_outputs,
)
from .written_softmax import join_softmax

# Multiples of a sample on which a saved graph is compared: kinks such as that of ReLU6 at 6, which
# scaled samples pass, tell models apart that agree on the sample itself.
_FACTORS = (1.0, -1.0, 64.0, -64.0, 4096.0, -4096.0)


@dataclass(frozen=True)
class CapturedModel:
    """A model's graph, and what is known of it.

    Attributes:
        graph: The operations that the model runs.
        batch_axes: Value name -> where it holds the samples; None where their order is not fixed.
        output: The graph's output for the first sample of the batch it was captured on, computed
            in a batch with the last sample; for a graph of one batch, the output for all samples.
            None if it has to be computed again, see `without_output`, or if it was not run.
        expected: The model's output for the last sample of that batch, if the graph was not run.
        written: Attributes of the model that its own forward writes.
        masks: The masks whose numbers the graph depends on; None for a saved graph, which depends
            on none.
        verified: Whether the graph was run and compared with the model. If not, its operations
            are known to keep samples apart, and each program is compared by its first run.
    """

    graph: Graph
    batch_axes: Mapping[str, BatchAxis | None]
    output: Tensor | None = field(default=None, repr=False, compare=False)
    expected: Tensor | None = field(default=None, repr=False, compare=False)
    written: frozenset[Attribute] = field(default=frozenset(), repr=False, compare=False)
    masks: MaskSigns | None = field(default=None, repr=False, compare=False)
    verified: bool = field(default=True, repr=False, compare=False)

    def without_output(self) -> "CapturedModel":
        """Drop outputs, which are right only for the inputs and weights of the capture."""
        return replace(self, output=None, expected=None)

    def expected_output(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Return the output for the first sample: the stored one, else that of a run of the graph.

        The stored one was computed in a batch with another sample, see `output_alone`.
        """
        if self.output is not None:
            return self.output
        first, _ = first_and_last(self.graph, inputs)
        with as_capture_error(model, inputs):
            return self._run(model, first)

    def output_alone(self, model: nn.Module, inputs: Inputs) -> Tensor:
        """Run the graph on the first sample alone.

        Raises:
            CaptureError: If it has another output in a batch with the last sample.
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
    model: nn.Module,
    inputs: Inputs,
    output: str | int | None,
    per_input: bool,
    free: Collection[Place] = (),
    run: bool = False,
) -> CapturedModel:
    """Capture the operations that `model` runs on batches like these, and verify them.

    Where the operations are known to keep samples apart, the graph itself is not run: the first
    run of a program is compared with the model.

    Not to be called by two threads at once: torch.export keeps global state.

    Args:
        model: Of the user; it is not changed.
        inputs: What it is called with.
        output: Which of several results is explained: a key, an attribute or an index.
        per_input: The graph is for these very numbers, and its output is for the whole batch.
        free: Sizes that are left open, where the model's code does not fix them.
        run: Run the graph in any case, so that errors say what is wrong.

    Raises:
        CaptureError: If the model cannot be exported, if the graph gives another output than the
            model, or if one sample changes the output of another; if sizes cannot be left open.
        PlanError: If the model is in train mode.
        NumberError: If an output is not finite.
    """
    if free:
        captured = _capture(model, inputs, output, per_input, run, free)
        if captured.graph.sizes is None or (captured.masks and captured.masks.found):
            given = "conditions on sizes that cannot be told, or masks whose numbers count"
            raise CaptureError(given, "sizes that can be left open", "give inputs of one size")
        return captured
    try:
        return _capture(model, inputs, output, per_input, run)
    except CaptureError as error:
        attempt = None if per_input else partial(_error_per_input, model, inputs, output)
        better = explain_failure(error, model, inputs, output, attempt)
        if better is error:
            raise
        raise better from error


def _capture(
    model: nn.Module,
    inputs: Inputs,
    output: str | int | None,
    per_input: bool,
    run: bool,
    free: Collection[Place] = (),
) -> CapturedModel:
    copy = isolated_copy(model)
    before = Configuration(copy)
    # The casts of autocast must not become part of the graph, which runs under the caller's own.
    with torch.autocast(inputs.first.device.type, enabled=False):
        graph = export_graph(copy, inputs, output, per_input, free)
    _refuse_taken_apart(graph, model)
    state = current_state(model, graph)
    graph, masks = _with_softmaxes(graph, model, inputs, state)
    refuse_train_mode(graph, analyse_graph(graph).dependent, copy)
    refuse_unembedded_integers(graph)
    bound = BoundModel(copy, inputs, output)
    axes = sample_axes(graph, inputs, state)
    expected = None if run or axes is None else output_for_last(bound, graph, inputs)
    if axes is not None and expected is not None:
        return CapturedModel(graph, axes, None, expected, before.changes(), masks, verified=False)
    outputs = verified_outputs(graph, bound, inputs, state)
    if axes is None:
        axes = verified_batch_axes(graph, model, inputs, state, outputs.last)
    return CapturedModel(graph, axes, outputs.first, None, before.changes(), masks)


def _with_softmaxes(
    graph: Graph, model: nn.Module, inputs: Inputs, state: Mapping[str, Tensor]
) -> tuple[Graph, MaskSigns]:
    """Join softmaxes that are written out, and tell of which masks' signs the result depends."""
    batch = select_samples(inputs, [0, -1]) if graph.any_batch else inputs
    trial = Trial(graph, graph.initial_values(batch.tensors, state))
    masks = Masks(trial, graph.initial_values(inputs.tensors, state))
    with as_capture_error(model, inputs):
        return join_softmax(graph, masks), masks.signs()


def _refuse_taken_apart(graph: Graph, model: nn.Module) -> None:
    """Refuse parameters of a subclass of Tensor that consists of several tensors.

    torch.export may read these in its place, and rules that change a weight do not know of them.
    """
    held = [_registered(model, path) for path in graph.state.values()]
    if all(one is not None and not hasattr(type(one), "__tensor_flatten__") for one in held):
        return
    for name, parameter in model.named_parameters():
        if hasattr(type(parameter), "__tensor_flatten__"):
            module, _, last = name.rpartition(".")
            raise PlanError(
                f'the parameter "{name}" is of type {type(parameter).__name__}, such as quantised '
                "models have",
                "parameters that are plain tensors",
                "explain the model as it was before, or write "
                f'model.get_submodule("{module}").{last} = torch.nn.Parameter('
                f'model.get_submodule("{module}").{last}.dequantize())',
            )


def _error_per_input(
    model: nn.Module, inputs: Inputs, output: str | int | None
) -> Exception | None:
    """Try to capture a model for these very numbers; return the error, or None."""
    try:
        _capture(model, inputs, output, per_input=True, run=True)
    except Exception as error:
        return error
    return None


def verify_saved(
    saved: CapturedModel, model: nn.Module, inputs: Inputs, output: str | int | None
) -> CapturedModel:
    """Check that a graph captured in another session gives the output of this model.

    Raises:
        CaptureError: If it does not.
        FileError: If it gives that, but says something else of its values than a capture would.
    """
    bound = BoundModel(isolated_copy(model), inputs, output)
    before, varied = Configuration(bound.model), _vary(inputs)
    with as_capture_error(model, inputs):
        state = current_state(bound.model, saved.graph)
        values = saved.graph.run_all(varied.tensors, state)
        got = values[saved.graph.output]
        expected = run_model(bound, varied)
    pairs = zip(got, expected, strict=True) if got.shape == expected.shape else [(got, expected)]
    if not all(_agree(*pair) for pair in pairs):
        raise CaptureError(
            f"{type(model).__name__} does not compute what the model of the saved plan computed",
            "a model of the same architecture, in eval mode",
            "capture this model instead: relprop.Explainer(model)",
        )
    check_flags(saved.graph, values)
    return replace(saved, output=got[:1], written=before.changes())


def _vary(inputs: Inputs) -> Inputs:
    """Make samples of the first one that reach more branches: large ones, and of other signs.

    Token ids change their places, so that they stay ids of the vocabulary.
    """
    batch = inputs.per_sample(lambda t: t[:1].repeat(len(_FACTORS), *[1] * (t.ndim - 1)))
    values = dict(batch.values)
    for label in inputs.explained:
        tensor = values[label]
        if tensor.is_floating_point() or tensor.is_complex():
            factors = tensor.new_tensor(_FACTORS).reshape(-1, *[1] * (tensor.ndim - 1))
            values[label] = tensor * factors
        else:
            values[label] = torch.stack([ids.roll(k, -1) for k, ids in enumerate(tensor)])
    return replace(batch, values=values)


def _agree(got: Tensor, expected: Tensor) -> bool:
    """Compare outputs for one sample.

    That of a scaled sample may be NaN: it says nothing then, since a softmax that the model writes
    out overflows, and the operation in its place does not.
    """
    return bool(expected.isnan().any()) or equal_within_precision(got, expected)


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
