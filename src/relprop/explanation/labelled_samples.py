"""Checks samples with their classes, and that a model tells those classes apart.

Takes them as users give them. Raises InputError. Must not know what they are for.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, first_line


def check_labelled(x: Any, y: Any, x_name: str = "x", y_name: str = "y") -> None:
    """Raise InputError unless these are samples, (n, *features), and a class of each, (n,).

    Args:
        x: The samples.
        y: The classes: whole numbers from 0.
        x_name: What errors call the samples.
        y_name: What they call the classes.
    """
    for name, value in ((x_name, x), (y_name, y)):
        if not isinstance(value, Tensor):
            given = f"{name} is of type {type(value).__name__}"
            raise InputError(given, "a tensor", f"write {name}=torch.as_tensor({name})")
    if x.ndim == 0 or len(x) == 0:
        given = f"{x_name} of shape {tuple(x.shape)}"
        raise InputError(given, "samples, (n, *features)", f"pass samples as {x_name}")
    whole = not (y.is_floating_point() or y.is_complex() or y.dtype == torch.bool)
    if y.ndim != 1 or not whole or len(y) != len(x) or int(y.min()) < 0:
        given = f"{y_name} of shape {tuple(y.shape)} and {y.dtype}, for {len(x)} samples"
        pairs = y.ndim == 1 and whole and len(y) != len(x)
        todo = f"give {x_name} and {y_name} in pairs" if pairs else f"write {y_name}.long()"
        raise InputError(given, "a class for each sample, (n,), whole numbers from 0", todo)
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
