"""Reads idx files of the MNIST family from a folder: MNIST, EMNIST, QMNIST and what is laid out so.

Takes a folder. Gives pictures with labels and official parts. Must not know targets.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, InputError
from ...support.arguments import suggest
from ..dataset import Finding
from ..idx import read_idx, read_idx_shape
from ..memory import Limit
from ..raw import RawData, parts_of
from .opened import open_bytes

_FILE = re.compile(
    r"(?P<family>.*?)[-_.]?(?P<part>train|t10k|test|test10k|test50k)[-_.](?P<kind>images|labels)"
    r"[-_.]idx\d[-_.](ubyte|int)(\.gz)?$"
)
_PARTS = {"train": "train", "t10k": "test", "test": "test", "test10k": "test", "test50k": "test"}
_Files = dict[str, dict[str, Path]]  # part -> kind -> file
# classes of EMNIST's splits, in the order of their numbers
_LETTERS = "emnist-letters"  # may lack a class
_DIGITS = "0123456789"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = {
    _LETTERS: _CAPITALS,
    "emnist-digits": _DIGITS,
    "emnist-mnist": _DIGITS,
    "emnist-balanced": _DIGITS + _CAPITALS + "abdefghnqrt",
    "emnist-bymerge": _DIGITS + _CAPITALS + "abdefghnqrt",
    "emnist-byclass": _DIGITS + _CAPITALS + _CAPITALS.lower(),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}


def has_idx_files(folder: Path) -> bool:
    """Tell whether a folder holds idx files."""
    return any(_FILE.match(path.name) for path in folder.iterdir())


def family_of(path: Path) -> str | None:
    """Return the family that the name of an idx file begins with, or "" ; None for other files."""
    match = _FILE.match(path.name)
    return match["family"].lower() if match else None


def read_idx_folder(folder: Path, limit: Limit, family: str | None = None) -> RawData:
    """Read images and labels of a folder.

    Args:
        folder: With files such as train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or
            gzipped, and those of the test part.
        limit: How many may be read.
        family: Which files, where there are several: "emnist-letters" of EMNIST.

    Raises:
        InputError: The folder has several families of files, and `family` does not say which.
        FileError: Files are missing, damaged, or do not belong together.
    """
    families = _families(folder)
    name = _choose(families, family, folder)
    read = _read_parts(families[name], folder, limit)
    pixels = np.concatenate([part.pixels for part in read])
    numbers = np.concatenate([part.labels for part in read])
    findings = [Finding("pictures", _shape(pixels), f"idx files{f' {name}' if name else ''}")]
    if name.startswith("emnist"):
        pixels = np.ascontiguousarray(pixels.swapaxes(1, 2))
        findings.append(Finding("orientation", "transposed", "EMNIST's files have columns first"))
    classes = _classes(name or folder.name.lower(), numbers)
    if classes and numbers.min() == 1 and (name == _LETTERS or numbers.max() == len(classes)):
        numbers = numbers - 1
        findings.append(Finding("labels", "counted from 1", "no label is 0"))
    return RawData(
        modality="picture",
        samples=pixels[..., None],
        keys=[f"{part.name} {i}" for part in read for i in part.rows],
        labels=numbers,
        official=parts_of(*((p.name if len(read) > 1 else "", len(p.rows)) for p in read)),
        classes=classes,
        findings=tuple(findings),
        warnings=tuple(warning for part in read for warning in part.warnings),
    )


@dataclass(frozen=True)
class _IdxPart:
    """The images of a part, which of the file's they are, and their labels."""

    name: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    warnings: list[str]


def _read_parts(files: _Files, folder: Path, limit: Limit) -> list[_IdxPart]:
    parts = [part for part in ("train", "test") if part in files]
    for part in parts:
        for kind in ("images", "labels"):
            if kind not in files[part]:
                other = next(iter(files[part].values()))
                given = f"{folder} has {other.name}, and no {kind} that belong to it"
                raise FileError(given, "a file of images and one of labels", "add the other file")
    size = sum(math.prod(read_idx_shape(files[part]["images"], 3)) for part in parts)
    return [_read_part(part, files[part], size, limit) for part in parts]


def _shape(pixels: NDArray[np.uint8]) -> str:
    return f"{len(pixels):,}, {pixels.shape[1]} x {pixels.shape[2]}, grey"


def _families(folder: Path) -> dict[str, _Files]:
    families: dict[str, _Files] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # a plain file goes before its .gz
        if match := _FILE.match(path.name):
            files = families.setdefault(match["family"].lower(), {})
            files.setdefault(_PARTS[match["part"]], {})[match["kind"]] = path
    return families


def _choose(families: dict[str, _Files], family: str | None, folder: Path) -> str:
    names = list(families)
    if len(names) == 1 and family is None:
        return names[0]
    if family in families:
        return str(family)
    todo = suggest(family, names) if family else f"write {folder / sorted(names)[0]}"
    given = f"{folder} holds {len(names)} data sets"
    raise InputError(given, ", ".join(sorted(names)), todo)


def _read_part(name: str, files: dict[str, Path], size: int, limit: Limit) -> _IdxPart:
    """Read a part; `size` is that of all parts together."""
    qmnist = "idx2" in files["labels"].name
    labels = _qmnist_labels(files["labels"]) if qmnist else read_idx(files["labels"], 1)
    count = read_idx_shape(files["images"], 3)[0]
    if count != len(labels):
        given = f"{files['images'].name} has {count:,} images, and {len(labels):,} labels"
        raise FileError(given, "a label for each image", "fetch both files again")
    rows, warnings = limit.choose(count, size, f"{name} pictures", files["images"].name)
    pixels = read_idx(files["images"], 3, rows)
    rows = np.arange(count) if rows is None else rows
    return _IdxPart(name, pixels, labels[rows].astype(np.int64), rows, warnings)


def _qmnist_labels(path: Path) -> NDArray[np.int64]:
    """Read the first of QMNIST's eight columns of four-byte numbers: the class."""
    with open_bytes(path) as file:
        content = file.read()
    rows, columns = np.frombuffer(content[4:12].ljust(8, b"\0"), ">i4")
    if content[:4] != bytes((0, 0, 0x0C, 2)) or len(content) != 12 + 4 * rows * columns:
        given = f"{path} is no idx file of four-byte numbers in two dimensions"
        raise FileError(given, "QMNIST's labels, eight numbers an image", "fetch the file again")
    return np.frombuffer(content[12:], ">i4").reshape(rows, columns)[:, 0].astype(np.int64)


def _classes(name: str, numbers: NDArray[np.int64]) -> tuple[str, ...]:
    """Name classes, where the family is known and its numbers fit."""
    known = tuple(_CLASSES.get(name, ()))
    fits = bool(known) and numbers.max() <= len(known) and len(np.unique(numbers)) <= len(known)
    return known if fits else ()
