"""Reads idx files of the MNIST family from a folder: MNIST, EMNIST, QMNIST and what is laid out so.

Takes a folder. Gives pictures with labels and official parts. Must not know targets.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, InputError
from ...support.arguments import suggest
from ..dataset import Finding
from ..idx import read_idx, read_idx_shape
from ..memory import Limit
from ..raw import RawData, parts_of

_FILE = re.compile(
    r"(?P<family>.*?)[-_.]?(?P<part>train|t10k|test|test10k|test50k)[-_.](?P<kind>images|labels)"
    r"[-_.]idx\d[-_.](ubyte|int)(\.gz)?$"
)
_PARTS = {"train": "train", "t10k": "test", "test": "test", "test10k": "test", "test50k": "test"}
_Files = dict[str, dict[str, Path]]  # part -> kind -> file
# classes of EMNIST's splits, in the order of their numbers
_DIGITS = "0123456789"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = {
    "emnist-letters": _CAPITALS,
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
    samples, labels, sizes, warnings = [], [], [], []
    for part in ("train", "test"):
        if part not in families[name]:
            continue
        images, numbers, note = _read_part(families[name][part], folder, limit)
        samples.append(images)
        labels.append(numbers)
        sizes.append((part, len(numbers)))
        warnings += note
    pixels, numbers = np.concatenate(samples), np.concatenate(labels)
    findings = [Finding("pictures", _shape(pixels), f"idx files{f' {name}' if name else ''}")]
    if name.startswith("emnist"):
        pixels = np.ascontiguousarray(pixels.swapaxes(1, 2))
        findings.append(Finding("orientation", "transposed", "EMNIST's files have columns first"))
    classes = _classes(name or folder.name.lower(), numbers)
    if name == "emnist-letters" or (
        classes and numbers.min() == 1 and numbers.max() == len(classes)
    ):
        numbers = numbers - 1
        findings.append(Finding("labels", "counted from 1", "no label is 0"))
    keys = [f"{part} {i}" for part, size in sizes for i in range(size)]
    official = parts_of(*((part if len(sizes) > 1 else "", size) for part, size in sizes))
    return RawData(
        modality="picture",
        samples=pixels[..., None],
        keys=keys,
        labels=numbers,
        official=official,
        classes=classes,
        findings=tuple(findings),
        warnings=tuple(warnings),
    )


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


def _read_part(
    files: dict[str, Path], folder: Path, limit: Limit
) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    for kind in ("images", "labels"):
        if kind not in files:
            other = next(iter(files.values()))
            given = f"{folder} has {other.name}, and no {kind} that belong to it"
            raise FileError(given, "a file of images and one of labels", "add the other file")
    qmnist = "idx2" in files["labels"].name
    numbers = _qmnist_labels(files["labels"]) if qmnist else read_idx(files["labels"], 1)
    shape = read_idx_shape(files["images"], 3)
    if shape[0] != len(numbers):
        given = f"{files['images'].name} has {shape[0]:,} images, and {len(numbers):,} labels"
        raise FileError(given, "a label for each image", "fetch both files again")
    rows, note = limit.choose(shape[0], int(np.prod(shape)), "pictures", files["images"])
    images = read_idx(files["images"], 3)
    if rows is not None:
        images, numbers = images[rows], numbers[rows]
    return images, numbers.astype(np.int64), note


def _qmnist_labels(path: Path) -> NDArray[np.int64]:
    """Read the first of QMNIST's eight columns of four-byte numbers: the class."""
    import gzip

    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    rows, columns = np.frombuffer(content[4:12], ">i4")
    if content[:4] != bytes((0, 0, 0x0C, 2)) or len(content) != 12 + 4 * rows * columns:
        given = f"{path} is no idx file of four-byte numbers in two dimensions"
        raise FileError(given, "QMNIST's labels, eight numbers an image", "fetch the file again")
    return np.frombuffer(content[12:], ">i4").reshape(rows, columns)[:, 0].astype(np.int64)


def _classes(name: str, numbers: NDArray[np.int64]) -> tuple[str, ...]:
    """Name classes, where the family is known and its numbers fit."""
    known = tuple(_CLASSES.get(name, ()))
    fits = bool(known) and numbers.max() <= len(known) and len(np.unique(numbers)) <= len(known)
    return known if fits else ()
