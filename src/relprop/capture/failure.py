"""Finds out why a model could not be captured, by running it, and what helps.

Takes the error of the capture, the model and the inputs. Gives a CaptureError whose advice was
tried on the model. Knows nothing of how a graph is exported.
"""

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import CaptureError, PlanError, RelpropError, first_line
from ..graph.inputs import Inputs
from .bound_model import BoundModel
from .failing_place import failing_module
from .isolated_copy import isolated_copy

PER_INPUT = 'relprop.Explainer(model, capture="per-input")'

# What may have to be done to an input, as one writes it: its shape, then its dtype.
_RESHAPED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    "[None]": lambda x: x[None],
    "[:, None]": lambda x: x[:, None],
    "[None, None]": lambda x: x[None, None],
    ".flatten(1)": lambda x: x.flatten(1),
    ".movedim(-1, 1)": lambda x: x.movedim(-1, 1),
    ".movedim(-1, 0)[None]": lambda x: x.movedim(-1, 0)[None],
}
_AS_FLOAT: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    ".float()": lambda x: x.float(),
}
# A picture as it is stored, in numbers from 0 to 255.
_AS_PICTURE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    ".float() / 255": lambda x: x.float() / 255,
    ".long()": lambda x: x.long(),
}
_AS_INTEGER: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    ".long()": lambda x: x.long(),
}


def explain_failure(
    error: CaptureError,
    model: nn.Module,
    inputs: Inputs,
    output: str | int | None,
    try_per_input: Callable[[], Exception | None] | None,
) -> CaptureError | PlanError:
    """Return the error that says best why a model could not be captured.

    Args:
        error: What the capture raised.
        model: Of the user; copies of it are run.
        inputs: What it is called with.
        output: Which of several results is explained.
        try_per_input: Tries to capture the model for these very numbers, and returns the error;
            None if that is what failed.
    """
    bound = BoundModel(isolated_copy(model), inputs, output)
    found = _samples_as_steps(bound) or _own_error(bound) or _single_sample(bound)
    if found is not None:
        return found
    if try_per_input is None:
        return error
    another = try_per_input()
    if another is None:
        todo = f"write {PER_INPUT}, which captures it for this input; or {error.todo}"
        return CaptureError(error.given, error.allowed, todo)
    return another if isinstance(another, PlanError) else error


# ---- layers that were made without batch_first ---------------------------------------------


def _samples_as_steps(bound: BoundModel) -> CaptureError | None:
    """Name a recurrent layer or attention that reads the samples as time steps.

    Its input is seen in runs on two and on three samples: the size that changes is the batch.
    """
    shapes = zip(_input_shapes(bound, 2), _input_shapes(bound, 3), strict=False)
    for (name, two), (_, three) in shapes:
        if two[:1] == three[:1] or two[1:] != three[1:]:
            continue
        layer = bound.model.get_submodule(name)
        if len(two) == 2:
            return CaptureError(
                f'"{name}" reads samples as time steps: its input is of shape {two} for two '
                "samples, which is (length, features)",
                "(batch, length, features)",
                "add the batch dimension: x[None]",
            )
        if len(two) == 3 and not layer.batch_first:
            kind = _made_with_batch_first(bound.model, name)
            return CaptureError(
                f'"{name}" reads samples as time steps: its input is of shape (batch, length, '
                f"features), {two} for two samples, and it was made without batch_first=True",
                "(length, batch, features) for such a layer, or batch_first=True",
                f"make it by torch.nn.{kind}(..., batch_first=True), or give it h.transpose(0, 1); "
                "a model trained without has mixed its samples",
            )
    return None


def _input_shapes(bound: BoundModel, samples: int) -> list[tuple[str, tuple[int, ...]]]:
    """Run the model on copies of one sample; list the input shapes of layers that have batch_first.

    The run may fail: what was seen until then counts.
    """
    model = isolated_copy(bound.model)
    names = {id(module): name for name, module in model.named_modules()}
    seen: list[tuple[str, tuple[int, ...]]] = []

    def look(module: nn.Module, positional: tuple[object, ...], named: dict[str, object]) -> None:
        first = next((v for v in (*positional, *named.values()) if isinstance(v, Tensor)), None)
        seen.append((names[id(module)], tuple(first.shape) if first is not None else ()))

    layers = [m for m in model.modules() if isinstance(getattr(m, "batch_first", None), bool)]
    for layer in layers:
        layer.register_forward_pre_hook(look, with_kwargs=True)
    if layers:
        _error_of(BoundModel(model, bound.inputs, bound.output), _copies(bound.inputs, samples))
    return seen


def _made_with_batch_first(model: nn.Module, name: str) -> str:
    """Return the class of the outermost layer around a module that is made with batch_first."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        kind = type(model.get_submodule(".".join(parts[:end])))
        if "batch_first" in inspect.signature(kind.__init__).parameters:
            return kind.__name__
    # Recurrent layers take it among their keyword arguments.
    return type(model.get_submodule(name)).__name__


# ---- errors of the model itself ------------------------------------------------------------


def _own_error(bound: BoundModel) -> CaptureError | None:
    """Return the error that the model itself raises on its input, with what helps."""
    inputs = bound.inputs
    error = _error_of(bound, inputs)
    if error is None or isinstance(error, RelpropError):
        return None
    line = _what_helps(bound)
    return CaptureError(
        f"{type(bound.model).__name__}{failing_module(error, bound.model)} on an input of "
        f"{_described(inputs.first)}: {first_line(error)}",
        "an input that the model itself accepts: (batch, *features)",
        f"write {line}, which the model takes{_in_range(line, inputs.first)}"
        if line
        else "correct the model or x: model(x) alone raises this",
    )


def _single_sample(bound: BoundModel) -> CaptureError | None:
    """Refuse an input without batch dimension: the model fails on two samples of it."""
    two = _copies(bound.inputs, 2)
    problem = _error_of(bound, two)
    line = _what_helps(bound) if problem is not None else ""
    if problem is None or not line:
        return None
    return CaptureError(
        f"{type(bound.model).__name__}{failing_module(problem, bound.model)} takes an input of "
        f"{_described(bound.inputs.first)}, but not two samples of it, "
        f"{_described(two.first)}: {first_line(problem)}",
        "(batch, *features), of any number of samples",
        f"write {line}, which the model takes",
    )


def _what_helps(bound: BoundModel) -> str:
    """Write the input as the model takes it, one sample or two at a time; "" if nothing helps."""
    inputs = bound.inputs
    label = inputs.explained[0]
    for line, changed in _changes(inputs.first):
        other = replace(inputs, values={**inputs.values, label: changed})
        if _error_of(bound, other) is None and _gives_two(bound, _copies(other, 2)):
            return f"{'x' if len(inputs.tensors) == 1 else label}{line}"
    return ""


def _in_range(line: str, x: Tensor) -> str:
    """Remind of the range of pictures, whose whole numbers no shape tells from other ones."""
    pixels = ".float()" in line and x.ndim > 2 and bool(x.max() > 1)
    return "; in the range of its training data" if pixels else ""


def _changes(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield what can be done to an input, as text and done."""
    casts = _AS_INTEGER if x.is_floating_point() else _AS_FLOAT
    casts = _AS_PICTURE if x.dtype is torch.uint8 else casts
    for (shape, reshape), (dtype, cast) in itertools.product(_RESHAPED.items(), casts.items()):
        if shape + dtype:
            yield shape + dtype, cast(reshape(x))


def _gives_two(bound: BoundModel, inputs: Inputs) -> bool:
    """Whether the model gives one result for each of two samples."""
    try:
        result = _run(bound, inputs)
    except Exception:
        return False
    return result.ndim > 0 and len(result) == 2


def _error_of(bound: BoundModel, inputs: Inputs) -> Exception | None:
    """Return what the model raises on inputs, which are copied; None if it runs."""
    try:
        _run(bound, inputs)
    except Exception as error:
        return error
    return None


def _run(bound: BoundModel, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        result: Tensor = bound(*(tensor.clone() for tensor in inputs.tensors.values()))
    return result


def _copies(inputs: Inputs, samples: int) -> Inputs:
    """Repeat the first sample."""
    return inputs.per_sample(lambda t: t[:1].repeat(samples, *[1] * (t.ndim - 1)))


def _described(x: Tensor) -> str:
    dtype = "" if x.is_floating_point() else f" and dtype {x.dtype}"
    return f"shape {tuple(x.shape)}{dtype}"
