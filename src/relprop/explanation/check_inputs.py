"""Checks the arguments that a model is called with, and labels them by its parameters.

Takes a model and what the user gave, gives `Inputs`. Must not run the model.
"""

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..graph.inputs import Inputs, is_plain
from ..support.checks import first_not_finite
from ..support.make_tensor import line_for_tensor
from ..support.model_input import first_number, line_for_input, of_function, unknown_arguments

ModelInput = Tensor | tuple[Any, ...] | Mapping[str, Any]


def check_inputs(
    model: nn.Module,
    given: ModelInput,
    explain: str | tuple[str, ...] | None,
    tracked: bool = False,
) -> Inputs:
    """Label the arguments of a call by the model's parameters, and check them.

    Args:
        model: The model.
        given: One tensor (batch, *features), a tuple of positional arguments, or a mapping of
            keyword arguments. Numbers, texts and None, alone or in lists, are passed on.
        explain: Label or labels of the tensors to explain; None: the first tensor.
        tracked: Whether they stay attached to the caller's autograd graph.

    Raises:
        InputError: The model cannot take them.
    """
    values, positional = label_arguments(model, given)
    tensors = [label for label, value in values.items() if isinstance(value, Tensor)]
    if not tensors:
        raise _no_tensor(model, given)
    if not positional:
        _refuse_unknown(model, values)
    for label, value in values.items():
        if not isinstance(value, Tensor) and not is_plain(value):
            raise _unsupported_argument(model, label, value)
    explained = _explained(values, tensors, explain)
    for label in tensors:
        _refuse_nested(label if len(tensors) > 1 else "x", values[label])
    for label in explained:
        if label not in tensors:
            allowed = ", ".join(f'"{name}"' for name in tensors)
            raise InputError(f"explain is {label!r}", allowed, f'write explain="{tensors[0]}"')
        _check_batch(label if label not in positional else "", tensors, values[label])
    like = first_number(model)
    for label in tensors:
        _check_tensor(like, values[label])
        tensor = values[label]
        # A copy where it stays in the caller's graph: the caller's later in-place changes must not
        # reach this one.
        copied = tracked or tensor.is_inference()
        values[label] = tensor.clone() if copied else tensor.detach()
    return Inputs(values, positional, tuple(explained))


def _explained(values: Mapping[str, Any], tensors: list[str], explain: object) -> list[str]:
    """List the labels to explain; they may not exist."""
    if explain is None:
        return tensors[:1]
    labels = [explain] if isinstance(explain, str) else explain
    if isinstance(labels, (tuple, list)) and labels and all(isinstance(n, str) for n in labels):
        return list(labels)
    names = ", ".join(f'"{name}"' for name in tensors)
    given, write = f"explain is {explain!r}", f'"{tensors[0]}"'
    meant = labels if isinstance(labels, (tuple, list)) else [labels]
    if any(isinstance(item, Tensor) for item in meant):
        given = f"explain is given as {type(explain).__name__}, with tensors in the place of labels"
        found = [label for label in tensors if any(values[label] is item for item in meant)]
        write = ", ".join(f'"{label}"' for label in found or tensors[:1])
        write = f"({write})" if len(found) > 1 else write
    raise InputError(given, f"a label, or a tuple of labels, of {names}", f"write explain={write}")


def _no_tensor(model: nn.Module, given: object) -> InputError:
    """Return the error for an input without a tensor, with the line that makes one of it."""
    several = isinstance(given, list) and len(_required(model.forward)) == len(given) > 1
    whole = several and all(isinstance(item, Tensor) for item in given)  # type: ignore[attr-defined]
    line = "tuple(x)" if whole else line_for_input(model, given)
    return InputError(
        f"an input of type {type(given).__name__}",
        "a torch.Tensor (batch, *features), or a tuple or mapping with one",
        f"write {line}" if line else "give the tensor that the model is called with",
    )


def _refuse_unknown(model: nn.Module, values: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that forward does not take, such as the label of a data set."""
    unknown, known = unknown_arguments(model, values)
    if unknown:
        raise InputError(
            f'"{unknown[0]}" among the inputs, which {type(model).__name__}.forward does not take',
            ", ".join(_parameters(model.forward)),
            f"write {{k: x[k] for k in {known}}}",
        )


def _unsupported_argument(model: nn.Module, label: str, value: object) -> InputError:
    todo = "give each tensor as an argument of its own"
    if not isinstance(value, (tuple, list, dict)):
        like = first_number(model)
        dtype = torch.get_default_dtype() if like is None else like.dtype
        line = line_for_tensor(value, label, dtype)
        attribute = "keep it as an attribute of the model"
        todo = f"write {line}, or {attribute}" if line else attribute
    return InputError(
        f'the argument "{label}" of type {type(value).__name__}, which is no tensor and may hold '
        "numbers that change",
        "tensors; None, numbers and texts; tuples, lists and dicts of these",
        todo,
    )


def label_arguments(model: nn.Module, given: ModelInput) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Label arguments by the parameters that take them, and list those given by position.

    Raises:
        InputError: There are more than the model takes.
    """
    if isinstance(given, Mapping):
        return dict(given), ()
    arguments = given if isinstance(given, tuple) else (given,)
    names = _parameters(model.forward)
    if len(arguments) > len(names) > 0 and not _takes_any_number(model.forward):
        todo = "write x[0]" if len(names) == 1 else f"write x[:{len(names)}]"
        raise InputError(
            f"{len(arguments)} arguments for a model whose forward takes {len(names)}",
            f"a tensor, or a tuple with one for each of {', '.join(names)}",
            todo,
        )
    if len(arguments) > len(names):
        numbered = (f"input_{i}" for i in itertools.count(len(names)))
        unused = (name for name in numbered if name not in names)
        names += tuple(itertools.islice(unused, len(arguments)))
    values = dict(zip(names, arguments, strict=False))
    return values, tuple(values)


@of_function
def _parameters(forward: Callable[..., Any]) -> tuple[str, ...]:
    """List the parameters that can be given by position."""
    parameters = inspect.signature(forward).parameters.values()
    either = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return tuple(parameter.name for parameter in parameters if parameter.kind in either)


def _required(function: Callable[..., Any]) -> list[str]:
    """List the parameters that a call has to give."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in _ANY_NUMBER]


def _takes_any_number(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)


_ANY_NUMBER = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def _refuse_nested(label: str, x: Tensor) -> None:
    if x.is_nested:
        given, todo = "a nested tensor", f"write torch.nested.to_padded_tensor({label}, 0.0)"
        raise InputError(given, "a tensor with one size for each dimension", todo)


def _check_batch(label: str, tensors: list[str], x: Tensor) -> None:
    """Refuse a tensor without a batch of samples; its label is "" if it was given by position."""
    if x.ndim < 2 or x.size(0) == 0:
        given = f"an input of shape {tuple(x.shape)}"
        line = f"{{k: x[k][None] for k in {tensors}}}" if label else "x[None]"
        todo = f"add the batch dimension: {line}" if x.numel() else "give at least one sample"
        raise InputError(given, "(batch, *features) with batch >= 1", todo)
    if x.dtype is torch.bool or x.is_complex():
        given = f"an input of dtype {x.dtype}"
        raise InputError(given, "floating point, as the model's, or token ids", "write x.float()")


def _check_tensor(like: Tensor | None, x: Tensor) -> None:
    if x.layout is not torch.strided:
        given = f"an input of layout {x.layout}"
        raise InputError(given, "a dense tensor", "write x.to_dense()")
    if x.is_quantized:
        raise InputError("a quantised input", "floating point numbers", "write x.dequantize()")
    if like is not None:
        _check_match(like, x)
    sample = first_not_finite(x) if x.is_floating_point() and x.ndim > 1 else None
    if sample is not None:
        given = f"an input with NaN or infinity, first in sample {sample}"
        raise InputError(given, "finite values", "clean the data: x.nan_to_num()")


def _check_match(like: Tensor, x: Tensor) -> None:
    if x.is_floating_point() and like.dtype != x.dtype:
        given, allowed = f"an input of dtype {x.dtype}", f"{like.dtype}, as the model's"
        raise InputError(given, allowed, f"write x.to({like.dtype})")
    if like.device != x.device:
        given, allowed = f"an input on {x.device}", f"{like.device}, where the model is"
        raise InputError(given, allowed, f'write x.to("{like.device}")')
