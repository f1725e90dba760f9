"""Reads tables: CSV and its relatives, Parquet, ARFF, JSON lines; with an official test part.

Takes the path of a table. Gives all its columns, as they were read. Must not know which of them
is the target.
"""

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, RelpropError, first_line
from ...support.extras import needs
from ..dataset import Finding
from ..memory import Limit
from ..raw import RawData, parts_of
from ..words import listed
from .column_names import names_beside
from .labels_apart import join_labels
from .opened import open_bytes, plain_suffix
from .table_formats import (
    BLOCK,
    TableRows,
    read_arff,
    read_json,
    read_json_lines,
    read_parquet,
)
from .table_layout import MISSING, SEPARATORS, Layout, find_layout

if TYPE_CHECKING:
    from pandas import DataFrame

DELIMITED = (".csv", ".tsv", ".tab", ".data", ".test", ".train", ".txt", ".dat", ".ssv")
TABLES = (*DELIMITED, ".parquet", ".arff", ".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class _Table:
    """One table: its rows, their numbers in the file, and what was found out.

    Attributes:
        total: How many rows the file has.
        named: Whether the names of columns are from the source.
        targets: Columns that are from a file of labels.
    """

    frame: "DataFrame"
    rows: NDArray[np.int64]
    total: int
    findings: list[Finding]
    warnings: list[str]
    named: bool = True
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelFiles:
    """Files of the labels of a table, and of its test part; None: a column of the table.

    Attributes:
        train: Of the table.
        test: Of its test part.
        validation: Of its validation part.
    """

    train: Path | None = None
    test: Path | None = None
    validation: Path | None = None


def read_table_file(
    path: Path,
    limit: Limit,
    test: Path | None = None,
    labels: LabelFiles = LabelFiles(),
    only: str | None = None,
    validation: Path | None = None,
    found: bool = False,
) -> RawData:
    """Read a table, and its official parts if there are any.

    Args:
        path: A table.
        limit: How much of it may be read.
        test: The table of the test part, laid out alike. A column that it alone lacks is the
            target.
        labels: Files of labels, a row for each row.
        only: Name of the column that the table may consist of; None: it must have several.
        validation: The table of the validation part, laid out alike.
        found: Whether the test part was found and not asked for: left out if columns lack.

    Raises:
        FileError: One of them is missing, damaged, empty or ragged, or their columns differ.
    """
    plain = _read(path, limit, only=only)
    table = _joined(plain, path, labels.train)
    raw = RawData(
        modality=None,
        samples=table.frame,
        keys=[f"row {i + 1}" for i in table.rows],
        labels=None,
        official=parts_of(("", len(table.rows))),
        targets=table.targets,
        named=table.named,
        findings=tuple(table.findings),
        warnings=tuple(table.warnings),
    )
    names = tuple(map(str, plain.frame.columns)) if plain.named else None
    parts = (("validation", validation, labels.validation), ("test", test, labels.test))
    for part, file, of in parts:
        if file is None:
            continue
        alone = _first_line(file) if found and _is_plain(file) else None
        read = _read(file, limit, names, alone if alone in (names or ()) else None)
        other = _joined(read, file, of)
        lacking = [name for name in raw.samples.columns if name not in other.frame.columns]
        if found and len(lacking) > 1:
            note = f"{file.name} is not used, as it has no column {listed(lacking)}."
            raw = raw.noting(warnings=[note])
        else:
            raw = _with_part(raw, other, path, file, part)
    return raw


def _is_plain(file: Path) -> bool:
    return plain_suffix(file) in DELIMITED


def _joined(table: _Table, path: Path, labels: Path | None) -> _Table:
    """Add the labels that are in a file of their own."""
    if labels is None:
        return table
    found = _read(labels, Limit(sys.maxsize, 0, True), only="")
    frame, targets = join_labels(
        (path, table.frame, table.rows, table.total), (labels, found.frame, found.named)
    )
    note = Finding("labels", labels.name, f"beside {path.name}, a row for each of its rows")
    return replace(table, frame=frame, findings=[*table.findings, note], targets=targets)


def _with_part(raw: RawData, other: _Table, path: Path, file: Path, part: str) -> RawData:
    """Put the test or validation part behind the rest. A column that it lacks is missing there."""
    import pandas

    columns = [str(name) for name in raw.samples.columns]
    lacking = [name for name in columns if name not in other.frame.columns]
    if len(lacking) > 1:
        raise FileError(
            f"{file} has no column {listed(list(map(repr, lacking)))}, which {path.name} has",
            f"the same columns in both: {listed(columns, 20)}",
            f"give a {part} part with these columns, or none",
        )
    reason = f"a file laid out as {path.name}"
    reason += f", without the column {lacking[0]}" if lacking else ""
    shared = other.frame[[name for name in columns if name not in lacking]]
    value = f"{file.name}, {len(shared):,} rows"
    made = replace(
        raw,
        samples=pandas.concat([raw.samples, shared], ignore_index=True),
        keys=[*raw.keys, *(f"{file.name} row {i + 1}" for i in other.rows)],
        official=np.append(
            np.where(raw.official == "", "train", raw.official), [part] * len(shared)
        ),
        targets=tuple(lacking) or raw.targets,
    )
    extra = [str(name) for name in other.frame.columns if name not in columns]
    note = [f"{file.name} has more columns, which are not used: {listed(extra)}."] if extra else []
    return made.noting(Finding(f"{part} part", value, reason), warnings=[*other.warnings, *note])


def _read(
    path: Path, limit: Limit, names: tuple[str, ...] | None = None, only: str | None = None
) -> _Table:
    """Read one table.

    Args:
        path: The table.
        limit: How much of it may be read.
        names: Those of the columns of the training part.
        only: Name of its column where it may have one alone; "": any name.
    """
    with needs("fit", "tables"):
        import pandas
    readers: dict[str, Callable[[Path, Limit, Any], TableRows]] = {
        ".parquet": read_parquet,
        ".arff": read_arff,
        ".jsonl": read_json_lines,
        ".ndjson": read_json_lines,
        ".json": read_json,
    }
    suffix = plain_suffix(path)
    if suffix not in readers:
        return _read_text(path, limit, pandas, names, only)
    try:
        found = readers[suffix](path, limit, pandas)
    except RelpropError:
        raise
    except (OSError, ValueError, NotImplementedError, KeyError, StopIteration) as error:
        given = f"the table {path} cannot be read: {first_line(error)}"
        allowed, todo = f"a whole {suffix} file", "save it again"
        if suffix == ".arff":  # scipy reads no others
            allowed += " of numbers, classes and dates, not sparse"
            todo = "save it as CSV"
        raise FileError(given, allowed, todo) from error
    frame, total = found.frame, found.total
    _refuse_empty(frame, path)
    frame.columns = [str(name) for name in frame.columns]
    findings = [Finding("table", _size_text(len(frame), total, frame.shape[1]), suffix)]
    return _Table(frame, found.rows, total, findings, found.notes)


def _read_text(
    path: Path, limit: Limit, pandas: Any, names: tuple[str, ...] | None, only: str | None
) -> _Table:
    layout = find_layout(path, spaced=only != "" and (only is None or _first_line(path) != only))
    if layout.width == 1 and only is None:
        allowed = f"several, with {', '.join(SEPARATORS.values())} between values"
        todo = (
            "put commas between the values; of a text file for each class write their folder, "
            f"{path.parent}"
        )
        raise FileError(f"{path} has a single column", allowed, todo)
    beside = None if layout.header else names_beside(path, layout.width)
    columns = layout.header or (beside[0] if beside else None)
    if names is not None and layout.header is None and len(names) == layout.width:
        columns = names
    numbered = tuple(f"column {i + 1}" for i in range(layout.width))
    frame, rows, warnings = _parse(path, layout, columns or numbered, limit, pandas)
    _refuse_empty(frame, path)
    source = "the first row" if layout.header else beside[1] if beside else "numbered"
    findings = [
        Finding("table", _size_text(len(rows), layout.rows, layout.width), _how_written(layout)),
        Finding("names of columns", source, layout.reason),
    ]
    return _Table(frame, rows, layout.rows, findings, warnings, columns is not None)


def _size_text(used: int, rows: int, columns: int) -> str:
    """Say how large a table is, and how much of it is used."""
    return f"{rows:,} rows, {columns} columns" + (f"; {used:,} rows used" if used < rows else "")


def _first_line(path: Path) -> str:
    with open_bytes(path) as file:
        return file.readline().decode("utf-8-sig", "replace").strip().strip('"')


def _how_written(layout: Layout) -> str:
    reason = f"{SEPARATORS[layout.separator]} between values"
    if layout.encoding == "latin-1":
        reason += "; no UTF-8, so read as Latin-1"
    reason += "; numbers with a decimal comma" if layout.decimal == "," else ""
    return reason + ("" if layout.quoted else "; quotes are letters, as each line is a row")


def _parse(
    path: Path, layout: Layout, columns: tuple[str, ...], limit: Limit, pandas: Any
) -> tuple["DataFrame", NDArray[np.int64], list[str]]:
    """Parse a table by pandas; one that is larger than memory block by block."""
    how = _reader_options(path, layout, columns)
    try:
        with open_bytes(path) as file:
            head = pandas.read_csv(file, nrows=1000, **how)
        size = int(head.memory_usage(deep=True).sum() / max(len(head), 1) * layout.rows)
        rows, notes = limit.choose(layout.rows, size, "rows", path)
        with open_bytes(path) as file:
            if rows is None:
                frame = pandas.read_csv(file, low_memory=False, **how)
                return frame, np.arange(len(frame)), notes
            blocks = pandas.read_csv(file, chunksize=BLOCK, low_memory=False, **how)
            kept = [block.loc[block.index.isin(rows)] for block in blocks]
        return pandas.concat(kept, ignore_index=True), rows, notes
    except (ValueError, UnicodeDecodeError) as error:
        given = f"the table {path} cannot be read: {first_line(error)}"
        raise FileError(given, "a table of text", "look at the file") from error


def _reader_options(path: Path, layout: Layout, columns: tuple[str, ...]) -> dict[str, Any]:
    """Say to pandas how a table is laid out."""
    return {
        "sep": r"\s+" if layout.separator == " " else layout.separator,
        "header": None,
        "names": list(columns),
        "skiprows": _lines_before(path, layout),
        "skipinitialspace": True,
        "na_values": list(MISSING),
        "keep_default_na": False,
        "dtype": {columns[i]: "str" for i in layout.codes},
        "encoding": layout.encoding,
        "decimal": layout.decimal,
        "quoting": csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE,
    }


def _lines_before(path: Path, layout: Layout) -> int:
    """Count the lines before the first sample: comments, and the names of columns."""
    if layout.header is None:
        return layout.skipped
    with open_bytes(path) as file:
        lines = enumerate(file)
        return next(i + 1 for i, line in lines if i >= layout.skipped and line.strip())


def _refuse_empty(frame: "DataFrame", path: Path) -> None:
    if not len(frame):
        raise FileError(f"the table {path} has no rows", "a row at least", "give another file")
    if not np.size(frame.columns):
        raise FileError(f"the table {path} has no columns", "columns", "give another file")
