"""Call an explanation method: a function (model, x, target) -> relevance, in batches.

Takes any such function, and checks what it returns. Must not know which sanity check calls it.

n  samples
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...graph.inputs import Inputs
from ..maps.concentration import check_finite_relevance
from ..removal.forward_passes import batch_slices, original_output
from ..removal.scores import resolve_target_classes
from ..removal.setup import check_batch_size, check_model, model_inputs

RelevanceFunction = Callable[[Any, Any, Tensor], Tensor]  # (model, x, target) -> (n, *features)


@dataclass(frozen=True)
class MethodCall:
    """Everything a method is called with.

    Attributes:
        model: The model to explain.
        inputs: Its inputs, n samples.
        target: The class to explain for each sample, (n,).
        classes: Number of classes of the model.
        method: The function (model, x, target) -> relevance.
        batch_size: Samples per call.
    """

    model: Callable[..., Any]
    inputs: Inputs
    target: Tensor
    classes: int
    method: RelevanceFunction
    batch_size: int

    @property
    def x(self) -> Tensor:
        """The input to which relevance is attributed, (n, *features)."""
        return self.inputs.first


def prepare_call(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    method: Any,
    target: int | Tensor | None,
    batch_size: int,
) -> MethodCall:
    """Check the user's arguments and resolve the target; raise InputError if they do not fit.

    The target is None for the predicted class, one class, or one class per sample (n,).
    """
    check_model(model)
    check_batch_size(batch_size)
    if not callable(method) or isinstance(method, Tensor):
        raise InputError(
            f"relevance of type {type(method).__name__}",
            "a function (model, x, target) -> tensor, because it is called several times",
            "write relprop.Method(explainer), or a function of your own",
        )
    refuse_other_arguments(method)
    inputs = model_inputs(model, x)
    with torch.no_grad():
        output = original_output(model, inputs, batch_size)
    classes = output.numel() // len(output)
    resolved = resolve_target_classes(output, target, "logit")
    if resolved is None:
        resolved = torch.zeros(len(output), dtype=torch.long, device=output.device)
    return MethodCall(model, inputs, resolved, classes, method, batch_size)


def compute_relevance(call: MethodCall) -> Tensor:
    """Call the method; return relevance (n, *features), checked to be finite."""
    target = call.target if call.classes > 1 else None  # that of one unit is no class
    relevance = call_in_batches(call.method, call.model, call.inputs, target, call.batch_size)
    check_finite_relevance(relevance)
    if len(relevance) != call.inputs.batch:
        raise InputError(
            f"relevance of {len(relevance)} samples, of {call.inputs.batch}",
            "(n, *features): one relevance per sample",
            "return the relevance of the very batch that the function is called with",
        )
    return relevance


def call_in_batches(
    method: Callable[[Any, Any, Any], Any],
    model: Callable[..., Any],
    inputs: Inputs,
    target: Tensor | None,
    batch_size: int,
) -> Tensor:
    """Call a method with at most batch_size samples at a time; return its detached results."""
    batches = []
    for rows in batch_slices(inputs.batch, batch_size):
        part = inputs.per_sample(lambda t, rows=rows: t[rows])  # type: ignore[misc]
        x = part.first if part.positional else dict(part.values)
        with torch.enable_grad():  # gradient-based methods need it, wherever they are called
            relevance = method(model, x, None if target is None else target[rows])
        if not isinstance(relevance, Tensor):
            raise not_a_tensor(relevance, "the relevance function's result")
        batches.append(relevance.detach())
    return torch.cat(batches)


def refuse_other_arguments(method: Callable[..., Any]) -> None:
    """Raise InputError for a function that cannot be called as (model, x, target)."""
    try:
        inspect.signature(method).bind("model", "x", "target")
    except TypeError:
        name = getattr(method, "__name__", type(method).__name__)
        raise InputError(
            f"relevance by {name}, which does not take the arguments (model, x, target)",
            "a function (model, x, target) -> tensor",
            _METHOD if type(method).__name__ == "Explainer" else _FUNCTION,
        ) from None
    except ValueError:  # it has no signature that Python knows
        return


_METHOD = "write relprop.Method(explainer)"
_FUNCTION = "write a function with these arguments: lambda model, x, target: ..."


def not_a_tensor(value: object, name: str) -> InputError:
    """Build the error for relevance that is not a tensor."""
    todo = "pass an explanation's .relevance, a tensor, or relprop.Method(explainer)"
    if isinstance(value, (np.ndarray, list, tuple)):
        todo = "write torch.as_tensor(relevance)"
    return InputError(
        f"{name} of type {type(value).__name__}",
        "a torch.Tensor, or a function (model, x, target) -> tensor",
        todo,
    )
