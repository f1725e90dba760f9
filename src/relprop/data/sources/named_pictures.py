"""Finds the pictures that a table names: labels.csv with a column of files, or of their stems.

Takes a table as it was read. Gives the column, and a file for each row. Must not know what
pictures hold, or which column is the target.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..columns import category_texts
from ..raw import PARTS, RawData
from .picture_files import PICTURE_FILES

if TYPE_CHECKING:
    from pandas import Series

_TRIED = 5  # names of a part by which the folder of its pictures is found
_LEAST = 0.5  # of the rows, which must name a picture that is there


@dataclass(frozen=True)
class NamedPictures:
    """The pictures that the rows of a table name.

    Attributes:
        column: Name of the column that names them.
        folder: Of the table, or the one that its train/ is in.
        files: Of each row; None: there is no such picture.
    """

    column: str
    folder: Path
    files: list[Path | None]


def find_named_pictures(raw: RawData, path: Path) -> NamedPictures | None:
    """Find the column of a table that names pictures, with or without the endings of their files.

    They are looked for in the folder of the table and in the folders there; of a table in train/,
    in test/ and the like, too. All of a part are in one of them.

    Args:
        raw: A table as it was read.
        path: Its file.

    Returns:
        The first column of which half the rows name a picture; None: there is none.
    """
    folders = _folders(_around(path))
    holding = {folder for folder in folders if _holds_pictures(folder)}
    for name in raw.samples.columns:
        values = raw.samples[name]
        if values.dtype.kind not in ("fbMm" if holding else "fbMmiu"):
            files = _files(values, raw, folders, holding)
            if sum(file is not None for file in files) >= max(1, _LEAST * len(files)):
                return NamedPictures(str(name), _around(path)[-1], files)
    return None


def _around(path: Path) -> list[Path]:
    """Return the folder of a table, and the one around that where it is train/."""
    folder = path.parent
    return [folder, folder.parent] if folder.name.lower() in PARTS else [folder]


def _folders(around: Sequence[Path]) -> list[Path]:
    """List the folders that may hold the pictures of a table."""
    below = [one for top in around for one in sorted(top.iterdir()) if one.is_dir()]
    return list(dict.fromkeys([*around, *below]))


def _holds_pictures(folder: Path) -> bool:
    with os.scandir(folder) as files:
        return any(file.name.lower().endswith(PICTURE_FILES) for file in files)


def _files(
    values: "Series[Any]", raw: RawData, folders: Sequence[Path], holding: set[Path]
) -> list[Path | None]:
    """Find the picture of each row, part by part: test/1.png is another one than train/1.png."""
    files: list[Path | None] = [None] * len(values)
    bare = False
    for part in np.unique(raw.official):
        rows = np.flatnonzero(raw.official == part)
        tried = category_texts(values.iloc[rows[: 10 * _TRIED]].dropna())[:_TRIED]
        found = {one: sum(_file(one, n, holding) is not None for n in tried) for one in folders}
        wanted = str(part) or "train"
        best = max(folders, key=lambda f: (found[f], PARTS.get(f.name.lower()) == wanted))
        if found[best]:
            names = category_texts(values.iloc[rows]).fillna("")
            bare = bare or not names.str.lower().str.endswith(PICTURE_FILES).all()
            for row, name in zip(rows, names, strict=True):
                files[row] = _file(best, name, holding)
    named = [file for file in files if file is not None]
    # numbers and words that happen to be stems of pictures come again and again
    return [None] * len(files) if bare and len(set(named)) < len(named) else files


def _file(folder: Path, name: str, holding: set[Path]) -> Path | None:
    """Return the picture of a name in a folder; None: there is none."""
    if name.lower().endswith(PICTURE_FILES):
        return folder / name if os.path.isfile(folder / name) else None
    if not name or folder not in holding:
        return None
    every = (folder / f"{name}{ending}" for ending in PICTURE_FILES)
    return next((file for file in every if os.path.isfile(file)), None)
