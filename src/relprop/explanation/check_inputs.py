"""Checks of what goes into an explanation and of what comes out of it."""

import inspect
import itertools
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..graph.inputs import Inputs, is_plain
from ..support.numerics import first_not_finite

Given = Tensor | tuple[Any, ...] | Mapping[str, Any]


def check_inputs(model: nn.Module, given: Given, explain: str | tuple[str, ...] | None) -> Inputs:
    """What the model is called with, by label; InputError if the model cannot take it.

    given    one tensor (batch, *features), a tuple of positional arguments, or a mapping of
             keyword arguments; numbers, texts and None, alone or in lists, are passed on
    explain  label or labels of the tensors that relevance is taken of; None: the first tensor
    """
    values, positional = _labelled(model, given)
    tensors = [label for label, value in values.items() if isinstance(value, Tensor)]
    if not tensors:
        what = f"an input of type {type(given).__name__}"
        raise InputError(
            what, "a torch.Tensor, or a tuple or mapping with one", "torch.as_tensor(x)"
        )
    for label, value in values.items():
        if not isinstance(value, Tensor) and not is_plain(value):
            raise _no_argument(label, value)
    chosen = _chosen(tensors, explain)
    for label in chosen:
        if label not in tensors:
            allowed = ", ".join(f'"{name}"' for name in tensors)
            raise InputError(f"explain is {label!r}", allowed, f'write explain="{tensors[0]}"')
        _check_batch(values[label])
    like = _first_number(model)
    for label in tensors:
        _check_tensor(like, values[label])
    return Inputs(values, positional, tuple(chosen))


def _chosen(tensors: list[str], explain: object) -> list[str]:
    """Labels of what is to be explained; whether they exist is not looked at."""
    if explain is None:
        return tensors[:1]
    labels = [explain] if isinstance(explain, str) else explain
    if not isinstance(labels, (tuple, list)) or not labels:
        given, allowed = f"explain is {explain!r}", "a label, or a tuple of labels, of "
        names = ", ".join(f'"{name}"' for name in tensors)
        raise InputError(given, allowed + names, f'write explain="{tensors[0]}"')
    return list(labels)


def _no_argument(label: str, value: object) -> InputError:
    todo = "give each tensor as an argument of its own"
    if not isinstance(value, (tuple, list, dict)):
        todo = f"write torch.as_tensor({label}), or keep it as an attribute of the model"
    return InputError(
        f'the argument "{label}" of type {type(value).__name__}, which is no tensor and may hold '
        "numbers that change",
        "tensors; None, numbers and texts; tuples, lists and dicts of these",
        todo,
    )


def _labelled(model: nn.Module, given: Given) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Arguments by the names of the parameters that take them, and which go by position."""
    if isinstance(given, Mapping):
        return dict(given), ()
    arguments = given if isinstance(given, tuple) else (given,)
    names = _parameters(model.forward)
    if len(arguments) > len(names):
        fresh = (f"input_{i}" for i in itertools.count(len(names)))
        names += tuple(itertools.islice((n for n in fresh if n not in names), len(arguments)))
    values = dict(zip(names, arguments, strict=False))
    return values, tuple(values)


def _parameters(forward: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters that can be given by position; of a method, looked up once."""
    function = getattr(forward, "__func__", None)
    if not isinstance(function, FunctionType):
        return _by_position(forward)
    names = _KNOWN.get(function)
    if names is None:
        names = _KNOWN[function] = _by_position(forward)
    return names


def _by_position(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    either = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return tuple(parameter.name for parameter in parameters if parameter.kind in either)


# by the function itself, which is not kept alive by that
_KNOWN: WeakKeyDictionary[FunctionType, tuple[str, ...]] = WeakKeyDictionary()


def _check_batch(x: Tensor) -> None:
    if x.ndim < 2 or len(x) == 0:
        given = f"an input of shape {tuple(x.shape)}"
        todo = "add the batch dimension: x[None]" if x.numel() else "give at least one sample"
        raise InputError(given, "(batch, *features) with batch >= 1", todo)
    if x.dtype is torch.bool or x.is_complex():
        given = f"an input of dtype {x.dtype}"
        raise InputError(given, "floating point, as the model's, or token ids", "write x.float()")


def _check_tensor(like: Tensor | None, x: Tensor) -> None:
    if x.layout is not torch.strided:
        given = f"an input of layout {x.layout}"
        raise InputError(given, "a dense tensor", "write x.to_dense()")
    if like is not None:
        _check_match(like, x)
    sample = first_not_finite(x) if x.is_floating_point() and x.ndim > 1 else None
    if sample is not None:
        given = f"an input with NaN or infinity, first in sample {sample}"
        raise InputError(given, "finite values", "clean the data: x.nan_to_num()")


def _first_number(model: nn.Module) -> Tensor | None:
    """The first parameter or buffer that is floating point, if there is one."""
    state = itertools.chain(model.parameters(), model.buffers())
    return next((tensor for tensor in state if tensor.is_floating_point()), None)


def _check_match(like: Tensor, x: Tensor) -> None:
    if x.is_floating_point() and like.dtype != x.dtype:
        given, allowed = f"an input of dtype {x.dtype}", f"{like.dtype}, as the model's"
        raise InputError(given, allowed, f"write x.to({like.dtype})")
    if like.device != x.device:
        given, allowed = f"an input on {x.device}", f"{like.device}, where the model is"
        raise InputError(given, allowed, f'write x.to("{like.device}")')


def is_classification(output: Tensor) -> bool:
    """Whether an output is (batch, classes), with at least two classes."""
    return output.ndim == 2 and output.shape[1] >= 2


def check_output_shape(output: Tensor, batch: int) -> None:
    """InputError unless the output has one entry for each sample, at least."""
    if output.ndim == 0 or len(output) != batch:
        raise InputError(
            f"a model whose output has shape {tuple(output.shape)} for a batch of {batch}",
            "(batch, classes), or (batch, ...) with a target that says which entry to explain",
            "wrap the model so that the first dimension runs over the samples",
        )
