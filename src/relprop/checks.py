"""Checks of what goes into an explanation and of what comes out of it."""

import itertools

import torch
from torch import Tensor, nn

from .errors import InputError, NumberError


def check_input(model: nn.Module, x: Tensor) -> Tensor:
    """The batch itself, if the model can take it; InputError if not.

    x  (batch, *features): a floating tensor with a sample in it, finite, of the model's dtype
       and on its device
    """
    if not isinstance(x, Tensor):
        given = f"an input of type {type(x).__name__}"
        raise InputError(given, "a torch.Tensor", "write torch.as_tensor(x)")
    if x.ndim < 2 or len(x) == 0:
        given = f"an input of shape {tuple(x.shape)}"
        todo = "add the batch dimension: x[None]" if x.numel() else "give at least one sample"
        raise InputError(given, "(batch, *features) with batch >= 1", todo)
    if x.layout is not torch.strided:
        given = f"an input of layout {x.layout}"
        raise InputError(given, "a dense tensor", "write x.to_dense()")
    if not x.is_floating_point():
        given = f"an input of dtype {x.dtype}"
        raise InputError(given, "floating point, as the model's", "write x.float()")
    _check_match(model, x)
    sample = _first_not_finite(x)
    if sample is not None:
        given = f"an input with NaN or infinity, first in sample {sample}"
        raise InputError(given, "finite values", "clean the data: x.nan_to_num()")
    return x.detach().clone()  # the record keeps it, whatever becomes of the caller's


def _first_not_finite(values: Tensor) -> int | None:
    """The first sample with NaN or infinity, if there is one."""
    wrong = ~values.isfinite().flatten(1).all(1)
    return int(wrong.nonzero()[0, 0]) if bool(wrong.any()) else None


def _check_match(model: nn.Module, x: Tensor) -> None:
    state = itertools.chain(model.parameters(), model.buffers())
    first = next((tensor for tensor in state if tensor.is_floating_point()), None)
    if first is None:
        return
    if first.dtype != x.dtype:
        given, allowed = f"an input of dtype {x.dtype}", f"{first.dtype}, as the model's"
        raise InputError(given, allowed, f"write x.to({first.dtype})")
    if first.device != x.device:
        given, allowed = f"an input on {x.device}", f"{first.device}, where the model is"
        raise InputError(given, allowed, f'write x.to("{first.device}")')


def check_output(output: Tensor) -> Tensor:
    """The output itself; NumberError if it is not finite."""
    sample = _first_not_finite(output)
    if sample is not None:
        raise NumberError(
            f"the model's output for sample {sample} is not finite",
            "finite class scores",
            "check the model's weights and the scale of the input",
        )
    return output


def check_relevance(relevance: Tensor) -> Tensor:
    """The relevance itself; NumberError if it is not finite."""
    sample = _first_not_finite(relevance)
    if sample is not None:
        raise NumberError(
            f"the relevance of sample {sample} is not finite",
            "finite relevance",
            "use a rule with a stabiliser, such as epsilon, where the recipe says zero",
        )
    return relevance


def check_classes(shape: tuple[int | None, ...]) -> None:
    """InputError unless the model's output is (batch, classes) with at least two classes."""
    if len(shape) != 2 or shape[0] is not None or (shape[1] or 0) < 2:
        sizes = ", ".join("batch" if size is None else str(size) for size in shape)
        raise InputError(
            f"a model whose output has shape ({sizes})",
            "(batch, classes) with at least two classes",
            "wrap it: one score z becomes two classes by torch.cat([-z, z], 1)",
        )
