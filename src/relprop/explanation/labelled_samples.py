"""Checks samples with their classes, and that a model tells those classes apart.

Takes them as users give them. Raises InputError. Must not know what they are for.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, first_line


def check_classes(y: Any, count: int, name: str = "y") -> None:
    """Raise InputError unless these are classes of samples, (n,): whole numbers from 0.

    Args:
        y: The classes.
        count: How many samples there are.
        name: What errors call the classes.
    """
    if (
        not isinstance(y, Tensor)
        or y.is_floating_point()
        or y.is_complex()
        or y.dtype == torch.bool
    ):
        allowed = "the class of each sample, a tensor (n,) of whole numbers"
        raise InputError(
            described(name, y), allowed, f"write {name} = torch.as_tensor({name}).long()"
        )
    if y.shape != (count,):
        given = f"{name} of shape {tuple(y.shape)} for {count} samples"
        one_hot = y.ndim == 2 and len(y) == count
        todo = f"write {name}.argmax(1)" if one_hot else "give them in pairs"
        raise InputError(given, f"the class of each sample, ({count},)", todo)
    if int(y.min()) < 0:
        todo = "leave samples without a class out: x[y >= 0], y[y >= 0]"
        raise InputError(f"class {int(y.min())}", "classes from 0", todo)


def described(name: str, value: object) -> str:
    """Say what a value is, in errors: the shape and dtype of a tensor, the type of all else."""
    if isinstance(value, Tensor):
        return f"{name} of shape {tuple(value.shape)} and {value.dtype}"
    return f"{name} of type {type(value).__name__}"


def check_labelled(x: Any, y: Any, x_name: str = "x", y_name: str = "y") -> None:
    """Raise InputError unless these are samples, (n, *features), and a class of each, (n,).

    Args:
        x: The samples.
        y: The classes: whole numbers from 0.
        x_name: What errors call the samples.
        y_name: What they call the classes.
    """
    if not isinstance(x, Tensor):
        given = f"{x_name} is of type {type(x).__name__}"
        raise InputError(given, "a tensor", f"write {x_name}=torch.as_tensor({x_name})")
    if x.ndim == 0 or len(x) == 0:
        given = f"{x_name} of shape {tuple(x.shape)}"
        raise InputError(given, "samples, (n, *features)", f"pass samples as {x_name}")
    check_classes(y, len(x), y_name)
    if x.device != y.device:
        given = f"{x_name} on {x.device}, and {y_name} on {y.device}"
        todo = f"write {y_name}={y_name}.to({x_name}.device)"
        raise InputError(given, "both on one device", todo)


def check_classifier(
    model: nn.Module, x: Any, y: Any, x_name: str = "x", y_name: str = "y"
) -> None:
    """Raise InputError unless a model gives scores of these classes for these samples.

    Args:
        model: The model, in eval mode; it runs on the first sample.
        x: Samples, checked here, too.
        y: Class of each.
        x_name: What errors call the samples.
        y_name: What they call the classes.
    """
    check_labelled(x, y, x_name, y_name)
    try:
        with torch.no_grad():
            scores = model(x[:1])
    except Exception as error:  # of the user's model: any
        given = f"{x_name} of shape {tuple(x.shape)} and {x.dtype}, on which the model fails: "
        todo = f"give {x_name} as the model takes it, on its device"
        raise InputError(given + first_line(error), "samples that it runs on", todo) from error
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[1] <= int(y.max()):
        given = f"a model that returns {shape} for a sample, and classes up to {int(y.max())}"
        raise InputError(given, "scores (n, classes)", "pass a classifier, and classes from 0")
