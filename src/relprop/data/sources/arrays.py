"""Reads arrays with labels from .npz and .pt files; MedMNIST's are such files.

Takes a path. Gives samples with labels and official parts. Must not know what the arrays mean.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, first_line
from ..dataset import Modality
from ..memory import Limit
from ..raw import PARTS, RawData
from ..words import counted
from .array_meaning import ArrayPart, raw_of_arrays

ARRAY_SUFFIXES = (".npz", ".pt", ".pth")
_SAMPLES = (
    "x",
    "data",
    "images",
    "image",
    "inputs",
    "input",
    "features",
    "samples",
    "series",
    "texts",
)
_LABELS = ("y", "target", "targets", "labels", "label", "classes")
_PARTS = {**PARTS, "tr": "train", "te": "test", "": ""}
_CHUNK = 2**24  # bytes that are read at once


def read_arrays(
    path: Path, limit: Limit, test: Path | None = None, modality: Modality | None = None
) -> RawData:
    """Read a file of arrays: X and y, data and target, x_train and y_train, train_images, ...

    Args:
        path: A .npz file of numpy, or a .pt file of tensors (a mapping, or a pair).
        limit: How much of it may be read.
        test: Such a file with the test part.
        modality: What the samples are, where the user says so.

    Raises:
        FileError: It is damaged, holds Python objects, or no samples with labels.
    """
    parts, warnings = _parts(path, limit)
    if test is not None:
        others, more = _parts(test, limit)
        named = [ArrayPart("train", one.samples, one.labels) for one in parts]
        parts = [*named, *(ArrayPart("test", one.samples, one.labels) for one in others)]
        warnings += more
    return raw_of_arrays(parts, modality, path).noting(warnings=warnings)


def _parts(path: Path, limit: Limit) -> tuple[list[ArrayPart], list[str]]:
    arrays = _Npz(path) if path.suffix == ".npz" else _Tensors(path)
    found = _pairs(arrays.shapes, path)
    total = sum(arrays.size(samples) for samples, _ in found.values())
    warnings, parts = [], []
    for part, (samples, labels) in found.items():
        count = arrays.shapes[samples][0]
        rows = None
        if total > limit.bytes:
            size = int(arrays.size(samples) * (total / arrays.size(samples)))
            rows, note = limit.choose(count, size, f"{part} samples".strip(), path)
            warnings += note
        targets = arrays.read(labels, None)
        if len(targets) != count:
            given = (
                f"{path} has {count:,} samples {samples!r}, and {len(targets):,} labels {labels!r}"
            )
            todo = f"save it again, with {counted(count, 'label')}"
            raise FileError(given, "a label for each sample", todo)
        targets = targets if rows is None else targets[rows]
        parts.append(ArrayPart(part, arrays.read(samples, rows), targets))
    return parts, warnings


def _pairs(shapes: Mapping[str, tuple[int, ...]], path: Path) -> dict[str, tuple[str, str]]:
    """Find which arrays are samples, and which are their labels, by part."""
    samples: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in (one for one, shape in shapes.items() if shape):  # a single number is neither
        words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
        joined = {word[:1]: word[1:] for word in words if word[1:] and word[1:] in _PARTS}
        part = next((_PARTS[word] for word in (*words, *joined.values()) if word in _PARTS), "")
        known = {*words, *joined}  # xtrain is x and train
        if known & set(_LABELS):
            labels.setdefault(part, name)
        elif known & set(_SAMPLES):
            samples.setdefault(part, name)
    both = {part: (samples[part], labels[part]) for part in samples if part in labels}
    if not both:
        raise FileError(
            f"{path} holds the arrays {_listed_shapes(shapes)}",
            "samples named X, data, images, ... and labels named y, target, labels, ...",
            "save it again: numpy.savez(file, X=samples, y=labels)",
        )
    order = ("train", "", "validation", "test")
    return {part: both[part] for part in order if part in both}


def _listed_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "(none)"


class _Npz:
    """Arrays of a .npz file; rows of them are read without the rest.

    Attributes:
        shapes: Of the arrays, by name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._types: dict[str, np.dtype[Any]] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for inside in archive.namelist():
                    name = inside.removesuffix(".npy")
                    with archive.open(inside) as file:
                        self.shapes[name], _, self._types[name] = _header(file)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            given = f"{path} cannot be read: {first_line(error)}"
            raise FileError(given, "a file of numpy.savez", "save it again") from error
        for name, kind in self._types.items():
            if kind.hasobject:
                given = f"the array {name!r} of {path} holds Python objects"
                todo = f"save {name} as numbers or texts, of one length"
                raise FileError(given, "numbers and texts: objects may run code", todo)

    def size(self, name: str) -> int:
        """Return the bytes of an array."""
        return int(np.prod(self.shapes[name])) * self._types[name].itemsize

    def read(self, name: str, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """Read an array, or some rows of it."""
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(f"{name}.npy") as file:
                if rows is None:
                    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
                return _read_rows(file, rows)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            given = f"{self._path} cannot be read: {first_line(error)}"
            raise FileError(given, "a whole file of numpy.savez", "save it again") from error


def _header(file: Any) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Read shape, order and type of an array."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    return (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)


def _read_rows(file: Any, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Read some rows, block by block."""
    shape, fortran, kind = _header(file)
    if fortran and len(shape) > 1:
        raise ValueError("its columns are stored one after the other, so that all must be read")
    width = int(np.prod(shape[1:])) * kind.itemsize
    step = max(1, _CHUNK // max(width, 1))
    made = []
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        block = np.frombuffer(file.read(count * width), kind).reshape(count, *shape[1:])
        inside = rows[(rows >= start) & (rows < start + count)] - start
        made.append(block[inside])
    return np.concatenate(made)


class _Tensors:
    """Tensors of a .pt file, which is read from the disk where it is used.

    Attributes:
        shapes: Of the tensors, by name.
    """

    def __init__(self, path: Path) -> None:
        import torch

        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # torch raises its own, pickle's and zipfile's
            given = f"{path} cannot be read: {first_line(error)}"
            todo = 'save it again: torch.save({"X": samples, "y": labels}, file)'
            raise FileError(given, "tensors alone: other objects may run code", todo) from error
        if isinstance(found, (tuple, list)) and len(found) == 2:
            found = {"X": found[0], "y": found[1]}
        named = found if isinstance(found, Mapping) else {}
        self._found = {
            str(n): t for n, t in named.items() if isinstance(t, torch.Tensor) and t.ndim
        }
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._found.items()}

    def size(self, name: str) -> int:
        """Return the bytes of a tensor."""
        return self._found[name].nbytes

    def read(self, name: str, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """Return a tensor, or some rows of it, as an array."""
        import torch

        tensor = self._found[name]
        tensor = tensor if rows is None else tensor[torch.from_numpy(rows)]
        return as_array(tensor)


def as_array(tensor: Any) -> NDArray[Any]:
    """Copy a tensor to an array; numpy has no floats of 16 bits such as bfloat16."""
    import torch

    short = tensor.dtype in (torch.bfloat16, torch.float16)
    return np.array((tensor.float() if short else tensor).numpy())
