"""A model with the plain arguments of a call filled in, and its one output that is explained.

Takes tensors only and returns one tensor, as torch.export needs it.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import CaptureError
from ..graph.inputs import Inputs


class BoundModel(nn.Module):
    """Binds non-tensor arguments, so that the wrapped model takes tensors only."""

    def __init__(self, model: nn.Module, inputs: Inputs, output: str | int | None) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs
        self.output = output

    def forward(self, *tensors: Tensor) -> Tensor:
        """Run the model on `tensors`, in the order of `inputs.tensors`, and select its output."""
        arguments = dict(zip(self.inputs.tensors, tensors, strict=True))
        positional, named = self.inputs.arrange({**self.inputs.values, **arguments})
        selected = select_output(self.model(*positional, **named), self.output)
        if not selected.is_floating_point() and not selected.is_complex():
            raise CaptureError(
                f"the model returns a tensor of dtype {selected.dtype}",
                "floating point scores, which relevance can be computed for",
                "return the scores themselves: leave out argmax, round or the comparison with 0",
            )
        return selected


def select_output(result: Any, output: str | int | None) -> Tensor:
    """Select one tensor of what a model returned.

    Args:
        result: A tensor, or a tuple, list or mapping with tensors.
        output: Key, attribute or index. None: the only tensor, else the one called "logits".

    Raises:
        CaptureError: If there is no such tensor.
    """
    if isinstance(result, Tensor) and output is None:
        return result
    tensors = _tensors_by_name(result)
    if output is None and len(tensors) == 1:
        return next(iter(tensors.values()))
    wanted = "logits" if output is None else output
    if wanted in tensors:
        return tensors[wanted]
    names = ", ".join(repr(name) for name in tensors)
    first = next(iter(tensors), None)
    raise CaptureError(
        f"the model returns {len(tensors)} tensors"
        + (f", none of them {output!r}" if output is not None else "")
        + ("" if tensors else f": {_describe(result)}"),
        f"one of {names}" if tensors else "a model that returns a tensor, or a flat tuple or dict",
        f"say which: Explainer(model, output={first!r})"
        if tensors
        else "wrap the model in a module whose forward returns the one tensor to explain",
    )


def _describe(result: Any) -> str:
    """Describe a result by its types, for messages."""
    if isinstance(result, Mapping):
        return "a dict with " + ", ".join(f"{k!r}: {type(v).__name__}" for k, v in result.items())
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of " + ", ".join(type(v).__name__ for v in result)
    return "None" if result is None else f"a {type(result).__name__}"


def _tensors_by_name(result: Any) -> dict[str | int, Tensor]:
    if isinstance(result, Mapping):
        items: dict[str | int, Any] = dict(result)
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        items = dict(zip(result._fields, result, strict=True))
    else:
        items = dict(enumerate(result)) if isinstance(result, (tuple, list)) else {0: result}
    return {name: value for name, value in items.items() if isinstance(value, Tensor)}
