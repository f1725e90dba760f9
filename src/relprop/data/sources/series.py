"""Reads time series from files of the UCR and UEA archives: .ts, and .tsv with a series in a row.

Takes a path. Gives series with labels and official parts. Must not know targets.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ..dataset import Finding
from ..memory import Limit
from ..options import DataOptions
from ..raw import RawData, objects, parts_of
from ..words import counted
from .opened import plain_stem, plain_suffix, read_text
from .table_layout import MISSING

_PART = re.compile(r"[-_](train|test)$", re.IGNORECASE)


_ROWS: dict[str, str | None] = {".tsv": "\t", ".txt": None}  # what separates the values of a row


@dataclass(frozen=True)
class _Series:
    """Series of a file: (channels, time) each, labels, what the file says, how many are missing."""

    samples: list[NDArray[np.float32]]
    labels: list[Any]
    says: dict[str, str]
    filled: int


def is_series_file(path: Path, options: DataOptions) -> bool:
    """Tell whether a file has a series in each line: .ts, or .tsv and .txt of the UCR archive."""
    if plain_suffix(path) == ".ts":
        return True
    ucr = plain_suffix(path) in _ROWS and _PART.search(plain_stem(path)) is not None
    return ucr and options.modality in (None, "series") and _begins_with_numbers(path)


def read_series_file(path: Path, limit: Limit, test: Path | None = None) -> RawData:
    """Read a file of series, and its test part.

    Args:
        path: A .ts file, or a .tsv file whose first column is the class.
        limit: How much memory the series may take.
        test: The file of the test part.

    Raises:
        FileError: A file is damaged, or a line does not fit.
    """
    read = _read_ts if plain_suffix(path) == ".ts" else _read_tsv
    parts = [("train" if test else "", read(path))]
    if test is not None:
        parts.append(("test", read(test)))
    samples = [one for _, part in parts for one in part.samples]
    channels = {len(one) for one in samples}
    if len(channels) > 1:
        given = f"{path} has series of {', '.join(map(str, sorted(channels)))} channels"
        raise FileError(given, "the same channels in each", "correct the file")
    filled = sum(part.filled for _, part in parts)
    names = {"": "", "train": f"{path.name} ", "test": f"{test.name} " if test else ""}
    raw = RawData(
        modality="series",
        samples=objects(samples),
        keys=[f"{names[n]}series {i + 1}" for n, part in parts for i in range(len(part.labels))],
        labels=_labels([label for _, part in parts for label in part.labels], parts[0][1].says),
        official=parts_of(*((name, len(part.labels)) for name, part in parts)),
        findings=(describe_series(samples, f"{path.suffix} file"),),
        warnings=filled_note(filled),
    )
    if test is not None:
        value = f"{test.name}, {counted(len(parts[1][1].labels), 'series', 'series')}"
        raw = raw.noting(Finding("test part", value, f"a file laid out as {path.name}"))
    size = sum(one.nbytes for one in samples)
    rows, note = limit.choose(len(samples), size, "series", path)
    return raw.noting(warnings=note) if rows is None else raw.keep(rows).noting(warnings=note)


def describe_series(samples: list[NDArray[np.float32]], reason: str) -> Finding:
    """Say how many series there are, of what length."""
    lengths = [one.shape[1] for one in samples]
    low, high = min(lengths), max(lengths)
    steps = f"{low} steps" if low == high else f"{low} to {high} steps"
    channels = f"{len(samples[0])} channel{'s' if len(samples[0]) > 1 else ''}"
    return Finding("series", f"{len(samples):,}, {channels}, {steps}", reason)


def fill_gaps(series: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Fill missing steps of a series on the straight line between their neighbours.

    Args:
        series: (channels, time); missing values are NaN.

    Returns:
        The series without gaps, and how many values were filled; a channel without any is 0.
    """
    missing = np.isnan(series)
    if not missing.any():
        return series, 0
    made, steps = series.copy(), np.arange(series.shape[1])
    for channel, gaps in zip(made, missing, strict=True):
        if gaps.all():
            channel[:] = 0
        elif gaps.any():
            channel[gaps] = np.interp(steps[gaps], steps[~gaps], channel[~gaps])
    return made, int(missing.sum())


def filled_note(filled: int) -> tuple[str, ...]:
    """Say how many missing values were filled; nothing where there were none."""
    missing = counted(filled, "missing value")
    return (f"Filled on the line between their neighbours: {missing} of series.",) if filled else ()


def _labels(labels: list[Any], says: dict[str, str]) -> NDArray[Any]:
    """Take labels as numbers where the file says that they are values."""
    if says.get("targetlabel", "").lower().startswith("true"):
        return np.array(labels, np.float64)
    return objects([None if label in ("", "?") else label for label in labels])


def _read_ts(path: Path) -> _Series:
    """Read a .ts file: lines with @, then channels separated by colons, the label last."""
    text, _ = read_text(path)
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1)]
    lines = [(i, line) for i, line in lines if line and line[0] not in "#%"]
    head = [line[1:].split(None, 1) for _, line in lines if line[0] == "@"]
    says = {words[0].lower(): words[1].strip() if len(words) > 1 else "" for words in head}
    body = [(i, line) for i, line in lines if line[0] != "@"]
    if "data" not in says or not body:
        given = f"{path} has no series behind a line @data"
        raise FileError(given, "a .ts file: lines with @, @data, series", "fetch it again")
    if says.get("timestamps", "false").lower().startswith("true"):
        given = f"{path} has a time stamp at each value"
        raise FileError(given, "values alone, evenly spaced in time", "save it without time stamps")
    labelled = any(
        says.get(key, "").lower().startswith("true") for key in ("classlabel", "targetlabel")
    )
    if not labelled:
        given = f"{path} has no labels: @classLabel false"
        raise FileError(given, "@classLabel true, or @targetLabel true", "give a file with labels")
    made = [_parse_line(line, path, number) for number, line in body]
    whole = [fill_gaps(series) for series, _ in made]
    filled = sum(count for _, count in whole)
    return _Series([one for one, _ in whole], [label for _, label in made], says, filled)


def _parse_line(line: str, path: Path, number: int) -> tuple[NDArray[np.float32], str]:
    *channels, label = line.split(":")
    todo = f"correct line {number}: 0.1,0.2,0.3:label"
    try:
        values = [np.array(c.replace("?", "nan").split(","), np.float32) for c in channels]
    except ValueError as error:
        given = f"line {number} of {path} has a value that is no number: {error}"
        raise FileError(given, "numbers with commas, channels with colons", todo) from error
    if not values:
        given = f"line {number} of {path} has no colon before a label"
        raise FileError(given, "channels, each with a colon behind it, and a label", todo)
    length = max(map(len, values))
    # channels of a sample may differ in length: the shorter ones are filled at their end
    padded = [np.pad(v, (0, length - len(v)), constant_values=np.nan) for v in values]
    return np.stack(padded), label.strip()


def _read_tsv(path: Path) -> _Series:
    """Read a .tsv file of the UCR archive: the class, then the steps; NaN at the end is no step."""
    text, _ = read_text(path)
    separator = _ROWS[plain_suffix(path)]
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = [_row(line.split(separator), path, number) for number, line in lines]
    for (number, _), row in zip(lines, rows, strict=True):
        if len(row) != len(rows[0]):
            given = f"line {number} of {path} has {len(row)} values, the first {len(rows[0])}"
            raise FileError(given, "as many values in each line", f"correct line {number}")
    samples, filled = [], 0
    for row in rows:
        there = np.flatnonzero(~np.isnan(row[1:]))
        last = int(there[-1]) + 1 if len(there) else 1
        made, count = fill_gaps(row[None, 1 : last + 1].astype(np.float32))
        samples.append(made)
        filled += count
    labels = ["" if np.isnan(row[0]) else f"{row[0]:.12g}" for row in rows]
    return _Series(samples, labels, {}, filled)


def _row(values: list[str], path: Path, number: int) -> NDArray[np.float64]:
    """Return the class and the steps of a line; missing ones are NaN."""
    known = ["nan" if value.strip() in MISSING else value for value in values]
    try:
        return np.array(known, np.float64)
    except ValueError as error:
        given = f"line {number} of {path} has a value that is no number: {error}"
        allowed = "the class and the steps of a series in each line, as numbers"
        raise FileError(given, allowed, f"correct line {number}") from error


def _begins_with_numbers(path: Path) -> bool:
    text = read_text(path)[0].split("\n", 1)[0].split(_ROWS[plain_suffix(path)])
    try:
        return len([float(value) for value in text if value.strip()]) > 2
    except ValueError:
        return False
