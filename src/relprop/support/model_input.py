"""What a model can be called with, read off its parameters, and the line that makes it.

Takes a model and what was given in the place of its input. Must not run the model.
"""

import inspect
import itertools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from .make_tensor import (
    batches_of_columns,
    line_for_batches,
    line_for_mapping,
    line_for_samples,
    line_for_tensor,
)

T = TypeVar("T")


def first_number(model: object) -> Tensor | None:
    """Return the first parameter or buffer of floating point, if there is one."""
    if isinstance(model, nn.Module):
        for tensor in itertools.chain(model.parameters(), model.buffers()):
            if tensor.is_floating_point():
                return tensor
    return None


def unknown_arguments(model: nn.Module, given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """List the names among keyword arguments that a model does not take, and those that it does.

    Args:
        model: The model. Nothing is unknown to a forward that takes any name.
        given: The arguments by name.
    """
    taken = _taken(model.forward)
    if taken is None:
        return [], list(given)
    return [name for name in given if name not in taken], [name for name in given if name in taken]


def of_function(read: Callable[[Callable[..., Any]], T]) -> Callable[[Callable[..., Any]], T]:
    """Cache what is read off a method for as long as its function lives: weak keys keep none alive.

    Of anything else that can be called it is read each time.
    """
    known: WeakKeyDictionary[FunctionType, T] = WeakKeyDictionary()

    def cached(method: Callable[..., Any]) -> T:
        function = getattr(method, "__func__", None)
        if not isinstance(function, FunctionType):
            return read(method)
        if function not in known:
            known[function] = read(method)
        return known[function]

    return cached


@of_function
def _taken(forward: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names of a function's parameters; None if it takes any name."""
    parameters = inspect.signature(forward, follow_wrapped=False).parameters.values()
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters)
    return None if any_name else frozenset(one.name for one in parameters)


def line_for_loading(model: object, dataset: object, name: str = "x", size: int = 64) -> str:
    """Write the line that gives batches of a data set, which gives samples; "" for anything else.

    Args:
        model: The model, or any function of a batch.
        dataset: What was given.
        name: What it is called in the line.
        size: Of the batches.
    """
    if type(dataset).__module__.startswith("datasets."):  # of Hugging Face
        return batches_of_columns(dataset, name, _names(model, dataset), size)
    if isinstance(dataset, Dataset) and not isinstance(dataset, IterableDataset):
        return f"torch.utils.data.DataLoader({name}, batch_size={size})"
    return ""


def line_for_input(model: object, given: object, whole: bool = False) -> str:
    """Write the line that makes what a model takes of what was given; "" if there is none.

    Args:
        model: The model, or any function of a batch.
        given: What was given, which the line calls x.
        whole: Whether batches are joined; else they are to be mapped over.
    """
    name = "x"
    like, weight = first_number(model), _first_weight(model)
    dtype = torch.get_default_dtype() if like is None else like.dtype
    names = _names(model, given)
    if isinstance(given, Mapping):
        return line_for_mapping(given, name, names, dtype)
    dimensions = None if weight is None else weight.ndim
    joined = line_for_samples(given, name, names) if whole else ""
    line = joined or line_for_batches(given, name, dimensions, names)
    channels = None if weight is None or weight.ndim != 4 else weight.shape[1]
    return line or line_for_tensor(given, name, dtype, channels)


def _first_weight(model: object) -> Tensor | None:
    """Return the weight of a first convolution, which has as many dimensions as a batch."""
    weights = (w for w in model.parameters() if w.ndim > 1) if isinstance(model, nn.Module) else ()
    first = next(iter(weights), None)
    return first if first is not None and first.ndim > 2 else None


def _names(model: object, given: object) -> list[str]:
    """List the names that a model can be called with; all that are given, if it takes any."""
    function = getattr(model, "forward", model)
    parameters = inspect.signature(function).parameters.values() if callable(function) else ()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        own = getattr(given, "column_names", None) or (given if isinstance(given, Mapping) else ())
        return [name for name in own if not str(name).startswith("label")]
    return [one.name for one in parameters if one.kind is not one.VAR_POSITIONAL]
