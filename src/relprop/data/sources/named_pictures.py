"""Finds the pictures that a table names: labels.csv with a column of files, or of their stems.

Takes a table as it was read. Gives the column, and a file for each row. Must not know what
pictures hold, or which column is the target.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, InputError
from ..columns import category_texts
from ..raw import PARTS, RawData
from .folders import INSIDE, part_in_name
from .picture_index import PictureIndex, holds_pictures

if TYPE_CHECKING:
    from pandas import Series

_EXAMINED = 50  # values of a column, by which it is judged
_LEAST = 0.5  # of the rows, which must name a picture that is there
_MOST = 0.8  # of the rows, where names are numbers, which may be anything
_DIFFERENT = 0.1  # of the rows, where names are words, which may be classes
_NAMES = re.compile(r"(image|img|picture|photo|file|path)", re.IGNORECASE)
_UNNAMED = re.compile(r"(|unnamed:? \d+|index|row)", re.IGNORECASE)
_KINDS = ("files", "words", "numbers")


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

    They are looked for in the folder of the table and in those below it; of a table in train/, in
    test/ and the like, too. A column of files comes before one of words, and that before numbers.

    Args:
        raw: A table as it was read.
        path: Its file.

    Returns:
        The column and the pictures; None: no column names pictures.

    Raises:
        FileError: A column names files of pictures, most of which are not there.
        InputError: A column names several pictures in a row.
    """
    folder = path.parent.parent if path.parent.name.lower() in PARTS else path.parent
    kinds = {str(name): _kind(raw.samples[name]) for name in raw.samples.columns}
    if "files" not in kinds.values() and not holds_pictures(folder):
        return None
    index = PictureIndex(folder)
    names = [name for name, kind in kinds.items() if kind]
    for name in sorted(names, key=lambda one: _rank(one, kinds[one])):
        found = _candidates(name, raw, index)
        first = [next(iter(files), None) for files in found]
        if _is_enough(kinds[name], _of_parts_with_any(first, raw.official), index):
            return NamedPictures(name, folder, _one_each(name, found))
        if kinds[name] == "files":
            raise _not_there(name, raw.samples[name], first, folder)
    return None


def _kind(values: "Series[Any]") -> str:
    """Tell whether a column may name pictures: by "files", by "words" or by "numbers"; else ""."""
    present = values.dropna()
    some = present.iloc[np.linspace(0, len(present) - 1, min(len(present), _EXAMINED), dtype=int)]
    if not len(some) or values.dtype.kind in "bMm":
        return ""
    if values.dtype.kind in "iuf":
        return "numbers" if bool((some % 1 == 0).all()) else ""
    texts = category_texts(some)
    return "files" if texts.map(PictureIndex.is_picture).mean() > _LEAST else "words"


def _rank(name: str, kind: str) -> tuple[int, bool, bool]:
    return _KINDS.index(kind), _UNNAMED.fullmatch(name) is not None, not _NAMES.search(name)


def _candidates(name: str, raw: RawData, index: PictureIndex) -> list[list[Path]]:
    """Find what each row may name: test/1.png is another picture than train/1.png."""
    texts = category_texts(raw.samples[name]).fillna("").tolist()
    rows = zip(texts, raw.official, strict=True)
    return [_of_part(index.find(text), str(part)) for text, part in rows]


def _one_each(name: str, found: Sequence[Sequence[Path]]) -> list[Path | None]:
    """Choose the picture of each row: where there are several, that of one folder for all rows."""
    several = [files for files in found if len(files) > 1]
    chosen = _one_folder(name, several) if several else None
    return [
        next((file for file in files if len(files) == 1 or file.parent == chosen), None)
        for files in found
    ]


def _of_part(files: Sequence[Path], part: str) -> list[Path]:
    """Return the files that may be of a part: a test row has no picture of the training part."""
    parts = [part_in_name(file.parent.name) for file in files]
    other = ("train", "validation") if part == "test" else ("test",) if part else ()
    kept = [file for file, of in zip(files, parts, strict=True) if of not in other]
    wanted = [file for file in kept if part_in_name(file.parent.name) == (part or "train")]
    return wanted or kept


def _one_folder(name: str, several: Sequence[Sequence[Path]]) -> Path:
    """Return the folder of the pictures where rows name several: images/1.jpg, masks/1.png."""
    counts = Counter(file.parent for files in several for file in files)
    places = [folder for folder, count in counts.items() if count == max(counts.values())]
    inside = [one for one in places if one.name.lower() in (*INSIDE, *PARTS)]
    if len(inside) == 1 or len(places) == 1:
        return (inside or places)[0]
    files = several[0]
    given = f"the column {name!r} names several pictures in a row: {files[0]} and {files[1]}"
    todo = f"write names with their folder into it: {files[0].parent.name}/{files[0].name}"
    raise InputError(given, "a picture for each row", todo)


def _of_parts_with_any(
    files: Sequence[Path | None], official: NDArray[np.str_]
) -> list[Path | None]:
    """Return the files of rows of parts of which there are pictures."""
    parts = {part for file, part in zip(files, official, strict=True) if file is not None}
    return [file for file, part in zip(files, official, strict=True) if part in parts]


def _is_enough(kind: str, files: Sequence[Path | None], index: PictureIndex) -> bool:
    """Tell whether a column names pictures, or has values that happen to be stems of some."""
    named = [file for file in files if file is not None]
    different, rows = set(named), len(files)
    if not named or len(named) < _LEAST * rows:
        return False
    if kind == "files":
        return True
    if kind == "words":
        return len(different) >= _DIFFERENT * rows
    beside = sum(index.counts[folder] for folder in {file.parent for file in different})
    return len(different) >= max(_MOST * rows, _LEAST * beside)


def _not_there(
    name: str, values: "Series[Any]", files: Sequence[Path | None], folder: Path
) -> FileError:
    lacking = next(i for i, file in enumerate(files) if file is None)
    count = sum(file is None for file in files)
    return FileError(
        f"the column {name!r} names pictures of which {count:,} of {len(files):,} are not there, "
        f"such as {str(values.iloc[lacking])!r}",
        f"pictures in {folder}, or in folders there",
        "put them there, or write --modality table to learn from the other columns",
    )
