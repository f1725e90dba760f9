"""Says how to make a tensor of what was given in place of one: a path, a picture, a table, a list.

Takes a value and its name. Gives the line to write, or "". Must not read files or import packages.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def line_for_tensor(value: object, name: str, dtype: torch.dtype) -> str:
    """Write the line that makes a tensor of a value; "" if there is no such line.

    Args:
        value: What was given.
        name: What it is called in the line.
        dtype: The model's dtype.

    Example:
        >>> line_for_tensor([[1.0, 2.0]], "x", torch.float32)
        'torch.tensor(x)'
    """
    short = str(dtype).removeprefix("torch.")
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if isinstance(value, (str, PurePath)):
        return _line_for_text(str(value), name, short)
    if kind.startswith("PIL."):
        return _line_for_picture(name, str(getattr(value, "mode", "RGB")), short)
    if kind.startswith("pandas."):
        return _line_for_table(value, name, short)
    if kind == "numpy.ndarray":
        kind = str(getattr(value, "dtype", ""))
        is_float = kind.startswith("float")
        if kind == "uint8":
            return f"torch.as_tensor({name}, dtype={dtype}) / 255"
        return f"torch.as_tensor({name}{f', dtype={dtype}' if is_float else ''})"
    if isinstance(value, (list, tuple)) and value:
        return _line_for_list(value, name, dtype)
    return ""


def line_for_batches(value: object, name: str, dimensions: int | None) -> str:
    """Write the line for what holds batches: a loader, a data set, a list of whole batches.

    Args:
        value: What was given.
        name: What it is called in the line.
        dimensions: Of a batch, where that is known.

    Returns:
        The line; "" for what holds no batches.
    """
    if isinstance(value, (DataLoader, Iterator)):
        return f"explainer.map({name})"
    if isinstance(value, Dataset):
        return f"explainer.map(torch.utils.data.DataLoader({name}, batch_size=64))"
    for attribute in ("input", "images"):  # of an explanation; of the digits that come along
        if isinstance(getattr(value, attribute, None), Tensor):
            return f"{name}.{attribute}"
    if isinstance(value, list) and value and all(isinstance(item, Tensor) for item in value):
        return _line_for_whole_batches(value, name, dimensions)
    return ""


def _line_for_whole_batches(tensors: Sequence[Tensor], name: str, dimensions: int | None) -> str:
    """Write the line for a list of whole batches, or of samples of a known number of dimensions."""
    first, counts = tensors[0].ndim, {tensor.ndim for tensor in tensors}
    whole = first > 1 if dimensions is None else first == dimensions
    if whole and (len(tensors) == 1 or len(counts) > 1):  # the batch, or with it its labels
        return f"{name}[0]"
    if dimensions is None or len({tensor.shape[1:] for tensor in tensors}) > 1:
        return ""
    if whole:
        return f"torch.cat({name})"
    return f"torch.stack({name})" if counts == {dimensions - 1} else ""


def _line_for_text(text: str, name: str, dtype: str) -> str:
    if text.lower().endswith(_PICTURES):
        return _line_for_picture(f"PIL.Image.open({name})", "", dtype)
    return f'tokenizer({name}, return_tensors="pt")'


def _line_for_picture(picture: str, mode: str, dtype: str) -> str:
    """Write a picture as (1, channels, height, width) in [0, 1]."""
    bands, shape = ("L", "[None, None]") if mode in ("L", "1") else ("RGB", ".movedim(-1, 0)[None]")
    converted = picture if mode == bands else f'{picture}.convert("{bands}")'
    return f'torch.tensor(numpy.array({converted}, dtype="{dtype}") / 255){shape}'


def _line_for_table(table: Any, name: str, dtype: str) -> str:
    """Write a table as (rows, columns), with columns of 0 and 1 for the values of texts."""
    texts = [kind for kind in _kinds(table) if kind not in "biuf"]
    numbers = f"pandas.get_dummies({name})" if texts else name
    return f'torch.tensor({numbers}.to_numpy(dtype="{dtype}"))'


def _kinds(table: Any) -> list[str]:
    """List numpy's letters for the kinds of a table's columns."""
    dtypes = getattr(table, "dtypes", ())
    return [getattr(d, "kind", "O") for d in (dtypes if hasattr(dtypes, "__iter__") else [dtypes])]


def _line_for_list(items: Sequence[Any], name: str, dtype: torch.dtype) -> str:
    first = items[0]
    if all(isinstance(item, Tensor) for item in items):
        return _line_for_tensors(items, name)
    if all(type(item) is type(first) for item in items):
        if isinstance(first, str) and not first.lower().endswith(_PICTURES):
            return f'tokenizer({name}, return_tensors="pt", padding=True)'
        if isinstance(first, (bool, int, float, list, tuple)):
            return f"torch.tensor({name})"
        line = line_for_tensor(first, "item", dtype)
        join = "torch.cat" if line.endswith("None]") else "torch.stack"
        return f"{join}([{line} for item in {name}])" if line else ""
    return ""


def _line_for_tensors(tensors: Sequence[Tensor], name: str) -> str:
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        return f"torch.nn.utils.rnn.pad_sequence({name}, batch_first=True)"
    (shape,) = shapes
    return f"torch.cat({name})" if len(shape) > 1 and shape[0] == 1 else f"torch.stack({name})"
