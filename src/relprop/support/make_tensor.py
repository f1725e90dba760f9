"""Says how to make a tensor of what was given in place of one: a path, a picture, a table, a list.

Takes a value and its name. Gives the line to write, or "". Must not read files or import packages.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def line_for_tensor(
    value: object, name: str, dtype: torch.dtype, channels: int | None = None
) -> str:
    """Write the line that makes a tensor of a value; "" if there is no such line.

    Args:
        value: What was given.
        name: What it is called in the line.
        dtype: The model's dtype.
        channels: How many channels of a picture the model takes; None: as many as it has.

    Example:
        >>> line_for_tensor([[1.0, 2.0]], "x", torch.float32)
        'torch.tensor(x)'
    """
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if isinstance(value, (str, PurePath)):
        return _line_for_text(value, name, dtype, channels)
    if kind.startswith("PIL."):
        grey = str(getattr(value, "mode", "RGB")) in ("L", "1")
        return _line_for_pictures(name, dtype, channels or (1 if grey else 3))
    if kind.startswith("pandas."):
        return _line_for_table(value, name, dtype)
    if kind.startswith("polars."):
        return _line_for_polars(value, name, dtype)
    if kind == "numpy.ndarray":
        kind = str(getattr(value, "dtype", ""))
        is_float = kind.startswith("float")
        if kind == "uint8":
            return f"torch.as_tensor({name}, dtype={dtype}) / 255"
        return f"torch.as_tensor({name}{f', dtype={dtype}' if is_float else ''})"
    if isinstance(value, (list, tuple)) and value:
        return _line_for_list(value, name, dtype, channels)
    return ""


def line_for_mapping(
    values: Mapping[str, Any], name: str, arguments: Sequence[str], dtype: torch.dtype
) -> str:
    """Write the line for a mapping without a tensor: tokens as lists, a row of a data set or table.

    Args:
        values: What was given.
        name: What it is called in the line.
        arguments: Names that the model can be called with; other keys, such as labels, are left
            out.
        dtype: The model's dtype.

    Returns:
        The line; "" where the values are no numbers.
    """
    keys = [key for key in values if key in arguments]
    if not keys:
        plain = values and all(isinstance(v, (int, float)) for v in values.values())
        return f"torch.tensor([list({name}.values())], dtype={dtype})" if plain else ""
    lists = [values[key] for key in keys]
    if not all(isinstance(one, list) or hasattr(one, "__array__") for one in lists):
        return ""
    first = lists[0]
    if isinstance(first, list) and first and isinstance(first[0], list):
        if len({len(row) for row in first}) > 1:  # of several lengths
            kept = f"{{k: {name}[k] for k in {keys}}}"
            return f'tokenizer.pad({kept}, return_tensors="pt")'
        return f"{{k: torch.tensor({name}[k]) for k in {keys}}}"
    several = getattr(first, "ndim", 1) > 1
    made = f"torch.as_tensor({name}[k])" if several else f"torch.as_tensor({name}[k])[None]"
    return f"{{k: {made} for k in {keys}}}"


def line_for_batches(
    value: object, name: str, dimensions: int | None, arguments: Sequence[str] = ()
) -> str:
    """Write the line for what holds batches: a loader, a data set, a list of whole batches.

    Args:
        value: What was given.
        name: What it is called in the line.
        dimensions: Of a batch, where that is known.
        arguments: Names that the model can be called with.

    Returns:
        The line; "" for what holds no batches.
    """
    if isinstance(value, (DataLoader, Iterator)):
        return f"explainer.map({name})"
    if type(value).__module__.startswith("datasets."):  # of Hugging Face
        return f"explainer.map({batches_of_columns(value, name, arguments)})"
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


def batches_of_columns(dataset: Any, name: str, arguments: Sequence[str], size: int = 64) -> str:
    """Write how batches of tensors are read off a data set of Hugging Face.

    Args:
        dataset: The data set.
        name: What it is called in the line.
        arguments: Names that the model can be called with.
        size: Of the batches.
    """
    return f"{_as_tensors(dataset, name, arguments)}.iter(batch_size={size})"


def _as_tensors(dataset: Any, name: str, arguments: Sequence[str]) -> str:
    columns = [one for one in getattr(dataset, "column_names", None) or () if one in arguments]
    chosen = f", columns={columns}" if columns else ""
    return f'{name}.with_format("torch"{chosen})'


def line_for_samples(value: object, name: str, arguments: Sequence[str]) -> str:
    """Write the line that takes all samples out of a loader or a data set; "" for anything else.

    Args:
        value: What was given.
        name: What it is called in the line.
        arguments: Names that the model can be called with.
    """
    if isinstance(value, DataLoader):
        alone = isinstance(value.dataset, Tensor)
        return f"torch.cat({'list(' + name + ')' if alone else f'[one[0] for one in {name}]'})"
    if type(value).__module__.startswith("datasets."):
        return f"{_as_tensors(value, name, arguments)}[:]"
    return ""


def _line_for_text(
    text: str | PurePath, name: str, dtype: torch.dtype, channels: int | None
) -> str:
    suffix = PurePath(text).suffix.lower()
    if suffix in _PICTURES:
        return _line_for_pictures(name, dtype, channels or 3)
    if suffix == ".csv":
        return _line_for_table(None, f"pandas.read_csv({name})", dtype)
    if suffix == ".npy":
        return f"torch.as_tensor(numpy.load({name}), dtype={dtype})"
    if isinstance(text, PurePath):  # a folder
        files = f'sorted({name}.glob("*.png"))'
        return "" if suffix else _line_for_pictures(files, dtype, channels or 3)
    return f'tokenizer({name}, return_tensors="pt")'


def _line_for_pictures(pictures: str, dtype: torch.dtype, channels: int) -> str:
    """Write pictures as (n, channels, height, width), with the place for the model's mean, std."""
    mean, std = (repr([value] * (1 if channels == 1 else 3)) for value in (0.0, 1.0))
    made = f"relprop.preprocess.Pictures(size=None, mean={mean}, std={std})({pictures})"
    return made if dtype is torch.float32 else f"{made}.to({dtype})"


def _line_for_table(table: Any, name: str, dtype: torch.dtype) -> str:
    """Write a table as (rows, columns), with columns of 0 and 1 for the values of texts."""
    texts = [kind for kind in _kinds(table) if kind not in "biuf"]
    numbers = f"pandas.get_dummies({name})" if texts else name
    row = "[None]" if getattr(table, "ndim", 2) == 1 else ""
    short = str(dtype).removeprefix("torch.")
    return f'torch.tensor({numbers}.to_numpy(dtype="{short}")){row}'


def _line_for_polars(table: Any, name: str, dtype: torch.dtype) -> str:
    if type(table).__name__ == "LazyFrame":
        return f"torch.tensor({name}.collect().to_numpy(), dtype={dtype})"
    row = "[None]" if type(table).__name__ == "Series" else ""
    kinds = {} if row else dict(zip(table.columns, map(str, table.dtypes), strict=True))
    texts = [one for one, kind in kinds.items() if kind.startswith(("String", "Categ", "Enum"))]
    numbers = f"{name}.to_dummies({texts})" if texts else name
    return f"torch.tensor({numbers}.to_numpy(), dtype={dtype}){row}"


def _kinds(table: Any) -> list[str]:
    """List numpy's letters for the kinds of a table's columns."""
    dtypes = getattr(table, "dtypes", ())
    return [getattr(d, "kind", "O") for d in (dtypes if hasattr(dtypes, "__iter__") else [dtypes])]


def _line_for_list(
    items: Sequence[Any], name: str, dtype: torch.dtype, channels: int | None
) -> str:
    first = items[0]
    if all(isinstance(item, Tensor) for item in items):
        return _line_for_tensors(items, name)
    if all(type(item) is type(first) for item in items):
        line = line_for_tensor(first, "item", dtype, channels)
        if line.startswith("relprop.preprocess.Pictures("):  # which takes lists
            return line.replace("(item)", f"({name})")
        if isinstance(first, str):
            return f'tokenizer({name}, return_tensors="pt", padding=True)'
        if isinstance(first, (bool, int, float, list, tuple)):
            return f"torch.tensor({name})"
        join = "torch.cat" if line.endswith("None]") else "torch.stack"
        return f"{join}([{line} for item in {name}])" if line else ""
    return ""


def _line_for_tensors(tensors: Sequence[Tensor], name: str) -> str:
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        return f"torch.nn.utils.rnn.pad_sequence({name}, batch_first=True)"
    (shape,) = shapes
    return f"torch.cat({name})" if len(shape) > 1 and shape[0] == 1 else f"torch.stack({name})"
