"""Reads texts of which a file, or a folder, is a class.

Takes paths. Gives texts with labels. Must not know targets or parts.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ..dataset import Finding
from ..memory import Limit
from ..raw import RawData, objects, parts_of
from ..words import counted
from .folders import classes_and_parts, files_below, others_note
from .opened import open_bytes, plain_name, plain_suffix, read_text

_EXAMINED = 4096  # first bytes of a file, to tell texts from other files


def read_class_files(files: Sequence[Path], limit: Limit) -> RawData:
    """Read files with a text in each line, a file for each class.

    Args:
        files: Two at least; a class is named after its file, or after the file's ending where all
            have one name: rt-polarity.pos, rt-polarity.neg.
        limit: How many texts may be read.

    Raises:
        FileError: A file is missing or empty.
    """
    stems = {plain_name(path).rsplit(".", 1)[0] for path in files}
    by_ending = len(stems) == 1
    texts: list[str] = []
    labels: list[str] = []
    keys: list[str] = []
    empty, encodings = 0, set()
    for path in sorted(files):
        content, encoding = read_text(path)
        encodings.add(encoding)
        lines = [(i, line.strip()) for i, line in enumerate(content.splitlines(), 1)]
        filled = [(i, line) for i, line in lines if line]
        if not filled:
            raise FileError(f"{path} has no text", "a text in each line", "leave it out")
        empty += len(lines) - len(filled)
        stem, _, ending = plain_name(path).rpartition(".")
        texts += [line for _, line in filled]
        labels += [ending if by_ending else stem] * len(filled)
        keys += [f"{path.name} line {i}" for i, _ in filled]
    reason = f"a file for each class: {', '.join(path.name for path in sorted(files))}"
    if "latin-1" in encodings:
        reason += "; no UTF-8, so read as Latin-1"
    warnings = [f"{counted(empty, 'line is empty', 'lines are empty')}: no text."] if empty else []
    return _limited(
        texts, labels, keys, parts_of(("", len(texts))), limit, files[0], reason, warnings
    )


def are_texts(folder: Path) -> bool:
    """Tell whether files without the ending .txt are texts, by the first in a folder of a class."""
    inside = (path for path in files_below(folder) if path.parent != folder)
    first = next(inside, None)
    if first is None:
        return False
    with open_bytes(first) as file:
        return b"\0" not in file.read(_EXAMINED)


def read_class_folders(folder: Path, limit: Limit) -> RawData:
    """Read files with a text in each, in a folder for each class; train/ may stand above it.

    Args:
        folder: With .txt files; where there are none, all files in folders are texts.
        limit: How many texts may be read.

    Raises:
        FileError: A file cannot be read.
    """
    below = files_below(folder)
    files = [path for path in below if plain_suffix(path) == ".txt"]
    files = files or [path for path in below if path.parent != folder]
    relative = [PurePosixPath(path.relative_to(folder)) for path in files]
    placed = classes_and_parts(relative, folder, loose=True)
    texts = [read_text(files[i])[0].strip() for i in placed.rows]
    empty = sum(not text for text in texts)
    empties = [f"{counted(empty, 'text is empty', 'texts are empty')}."] if empty else []
    keys = [str(relative[i]) for i in placed.rows]
    unused = others_note(PurePosixPath(p.relative_to(folder)) for p in {*below} - {*files})
    reason = "a folder for each class, a file for each text"
    warnings = [*placed.warnings, *unused, *empties]
    return _limited(texts, placed.classes, keys, placed.parts, limit, folder, reason, warnings)


def _limited(
    texts: list[str],
    labels: list[str],
    keys: list[str],
    official: NDArray[np.str_],
    limit: Limit,
    source: Path,
    reason: str,
    warnings: list[str],
) -> RawData:
    raw = RawData(
        modality="text",
        samples=objects(texts),
        keys=keys,
        labels=objects(labels),
        official=official,
        findings=(Finding("text", f"{len(texts):,} texts", reason),),
        warnings=tuple(warnings),
    )
    rows, note = limit.choose(len(texts), sum(map(len, texts)), "texts", source)
    return raw.noting(warnings=note) if rows is None else raw.keep(rows).noting(warnings=note)
