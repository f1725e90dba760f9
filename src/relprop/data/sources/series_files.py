"""Reads time series of which each is a CSV file, in a folder for each class.

Takes a folder. Gives series with labels and official parts. Must not know targets.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, InputError, first_line
from ..dataset import Finding
from ..memory import Limit
from ..raw import RawData, objects
from ..words import counted
from .folders import classes_and_parts, files_below, others_note
from .opened import plain_suffix
from .series import describe_series, fill_gaps
from .table_layout import MISSING, find_layout

_SUFFIXES = (".csv", ".tsv")
_COUNTS = ("", "t", "time", "timestamp", "index", "step", "date", "column 1")


def read_series_folders(folder: Path, limit: Limit) -> RawData:
    """Read a series from each CSV file: a row for each step, a column for each channel.

    Args:
        folder: With CLASS/NAME.csv, or train/CLASS/NAME.csv and test/CLASS/NAME.csv.
        limit: How much memory the series may take.

    Raises:
        FileError: A file is in no folder of a class, damaged, or no table of numbers.
        InputError: Files differ in their columns.
    """
    below = files_below(folder)
    files = [path for path in below if plain_suffix(path) in _SUFFIXES]
    names = [PurePosixPath(path.relative_to(folder)) for path in files]
    unused = others_note(PurePosixPath(p.relative_to(folder)) for p in {*below} - {*files})
    placed = classes_and_parts(names, folder)
    files, names = ([of[i] for i in placed.rows] for of in (files, names))
    size = sum(path.stat().st_size for path in files)
    rows, note = limit.choose(len(files), size, "series", folder)
    chosen = range(len(files)) if rows is None else rows.tolist()
    read = [_read_file(files[i]) for i in chosen]
    _check_channels(read)
    samples = [one.values for one in read]
    filled = counted(sum(one.filled for one in read), "missing value")
    warnings = [] if filled[0] == "0" else [f"Filled from their neighbours: {filled}."]
    return RawData(
        modality="series",
        samples=objects(samples),
        keys=[str(names[i]) for i in chosen],
        labels=objects([placed.classes[i] for i in chosen]),
        official=placed.parts[np.array(chosen, np.int64)],
        findings=(
            describe_series(samples, "a file for each series, a row for each step"),
            Finding("channels", ", ".join(read[0].columns), "the columns"),
        ),
        warnings=(*placed.warnings, *unused, *note, *warnings),
    )


@dataclass(frozen=True)
class _File:
    """A series of a file: (channels, time), names of channels, how many values were missing."""

    path: Path
    values: NDArray[np.float32]
    columns: tuple[str, ...]
    filled: int


def _check_channels(read: list[_File]) -> None:
    found = Counter(one.columns for one in read).most_common()
    if len(found) > 1:
        other = next(one for one in read if one.columns == found[-1][0])
        usual = ", ".join(found[0][0])
        given = f"{other.path} has the columns {', '.join(other.columns)}, most have {usual}"
        raise InputError(given, "the same columns in each file", f"look at {other.path.name}")


def _read_file(path: Path) -> _File:
    import pandas

    layout = find_layout(path)
    header = None if layout.header is None else 0
    names = layout.header or tuple(f"column {i + 1}" for i in range(layout.width))
    try:
        frame = pandas.read_csv(
            path,
            sep=r"\s+" if layout.separator == " " else layout.separator,
            header=header,
            skiprows=layout.skipped,
            na_values=list(MISSING),
            skipinitialspace=True,
            encoding=layout.encoding,
            decimal=layout.decimal,
        )
        frame.columns = list(names)
        if layout.header and len(names) > 1 and names[0].lower() in _COUNTS:
            frame = frame.iloc[:, 1:]  # when a step was: steps are taken as evenly spaced
        values = frame.to_numpy(np.float32).T
    except (OSError, ValueError) as error:
        given = f"the series {path} cannot be read: {first_line(error)}"
        raise FileError(given, "a table of numbers, a row for each step", "look at it") from error
    made, filled = fill_gaps(np.ascontiguousarray(values))
    return _File(path, made, tuple(map(str, frame.columns)), filled)
