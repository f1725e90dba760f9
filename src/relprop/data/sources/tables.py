"""Reads tables: CSV and its relatives, Parquet, ARFF, JSON lines; with an official test part.

Takes the path of a table. Gives all its columns, as they were read. Must not know which of them
is the target.
"""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FileError, first_line
from ...support.extras import needs
from ..dataset import Finding
from ..memory import Limit
from ..raw import RawData, parts_of
from .column_names import names_beside
from .opened import encoding_of, open_bytes, plain_suffix
from .table_layout import MISSING, SEPARATORS, Layout, find_layout

if TYPE_CHECKING:
    from pandas import DataFrame

DELIMITED = (".csv", ".tsv", ".tab", ".data", ".test", ".train", ".txt", ".dat", ".ssv")
TABLES = (*DELIMITED, ".parquet", ".arff", ".jsonl", ".ndjson", ".json")
_ROWS = 50_000  # of a block, where a table is larger than memory


def read_table_file(path: Path, limit: Limit, test: Path | None = None) -> RawData:
    """Read a table, and its official test part if there is one.

    Args:
        path: A table.
        limit: How much of it may be read.
        test: The table of the test part, laid out alike.

    Raises:
        FileError: One of them is missing, damaged, empty or ragged, or their columns differ.
    """
    frame, findings, warnings, named = _read(path, limit)
    sizes = [("train" if test else "", len(frame))]
    keys = [f"row {i + 1}" for i in range(len(frame))]
    if test is not None:
        other, _, more, _ = _read(test, limit, tuple(map(str, frame.columns)) if named else None)
        frame, note = _joined(frame, other, path, test)
        sizes.append(("test", len(other)))
        keys += [f"{test.name} row {i + 1}" for i in range(len(other))]
        findings.append(Finding("test part", f"{test.name}, {len(other):,} rows", note))
        warnings += more
    return RawData(
        modality=None,
        samples=frame,
        keys=keys,
        labels=None,
        official=parts_of(*sizes),
        named=named,
        findings=tuple(findings),
        warnings=tuple(warnings),
    )


_Table = tuple["DataFrame", list[Finding], list[str], bool]


def _read(path: Path, limit: Limit, names: tuple[str, ...] | None = None) -> _Table:
    """Read one table: its rows, what was found out, warnings, whether its columns have names."""
    with needs("fit", "tables"):
        import pandas
    readers: dict[str, Callable[[Path, Any], DataFrame]] = {
        ".parquet": _read_parquet,
        ".arff": _read_arff,
        ".jsonl": _read_json,
        ".ndjson": _read_json,
        ".json": _read_json,
    }
    suffix = plain_suffix(path)
    if suffix not in readers:
        return _read_text(path, limit, pandas, names)
    try:
        frame = readers[suffix](path, pandas)
    except FileError:
        raise
    except (OSError, ValueError, NotImplementedError, KeyError, StopIteration) as error:
        given = f"the table {path} cannot be read: {first_line(error)}"
        raise FileError(given, f"a whole {suffix} file", "save it again") from error
    _refuse_empty(frame, path)
    frame.columns = [str(name) for name in frame.columns]
    rows, note = limit.choose(len(frame), int(frame.memory_usage(deep=True).sum()), "rows", path)
    if rows is not None:
        frame = frame.iloc[rows].reset_index(drop=True)
    return frame, [Finding("table", f"{len(frame):,} rows", suffix)], note, True


def _read_text(path: Path, limit: Limit, pandas: Any, names: tuple[str, ...] | None) -> "_Table":
    layout = find_layout(path)
    if layout.width == 1:
        allowed = f"several, with {', '.join(SEPARATORS.values())} between values"
        todo = f"correct it; of a text file for each class write their folder, {path.parent}"
        raise FileError(f"{path} has a single column", allowed, todo)
    beside = None if layout.header else names_beside(path, layout.width)
    named = layout.header is not None or beside is not None
    columns = layout.header or (beside[0] if beside else None)
    if names is not None and layout.header is None and len(names) == layout.width:
        columns = names
    columns = columns or tuple(f"column {i + 1}" for i in range(layout.width))
    frame, warnings = _parse(path, layout, columns, limit, pandas)
    _refuse_empty(frame, path)
    reason = f"{SEPARATORS[layout.separator]} between values"
    if layout.encoding == "latin-1":
        reason += "; no UTF-8, so read as Latin-1"
    if layout.decimal == ",":
        reason += "; numbers with a decimal comma"
    findings = [Finding("table", f"{len(frame):,} rows, {layout.width} columns", reason)]
    source = "the first row" if layout.header else beside[1] if beside else "numbered"
    findings.append(Finding("names of columns", source, layout.reason))
    return frame, findings, warnings, named


def _parse(
    path: Path, layout: Layout, columns: tuple[str, ...], limit: Limit, pandas: Any
) -> tuple["DataFrame", list[str]]:
    """Parse a table by pandas; one that is larger than memory block by block."""
    how = {
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
    }
    try:
        with open_bytes(path) as file:
            head = pandas.read_csv(file, nrows=1000, **how)
        size = int(head.memory_usage(deep=True).sum() / max(len(head), 1) * layout.rows)
        rows, note = limit.choose(layout.rows, size, "rows", path)
        with open_bytes(path) as file:
            if rows is None:
                return pandas.read_csv(file, low_memory=False, **how), note
            blocks = pandas.read_csv(file, chunksize=_ROWS, low_memory=False, **how)
            return pandas.concat(
                [block.loc[block.index.isin(rows)] for block in blocks], ignore_index=True
            ), note
    except (ValueError, UnicodeDecodeError) as error:
        given = f"the table {path} cannot be read: {first_line(error)}"
        raise FileError(given, "a table of text", "look at the file") from error


def _lines_before(path: Path, layout: Layout) -> int:
    """Count the lines before the first sample: comments, and the names of columns."""
    if layout.header is None:
        return layout.skipped
    with open_bytes(path) as file:
        lines = enumerate(file)
        return next(i + 1 for i, line in lines if i >= layout.skipped and line.strip())


def _read_parquet(path: Path, pandas: Any) -> "DataFrame":
    with open_bytes(path) as file:
        return pandas.read_parquet(file, engine="pyarrow")


def _read_arff(path: Path, pandas: Any) -> "DataFrame":
    """Read an ARFF file by scipy, whose texts are bytes and whose missing classes are "?"."""
    from scipy.io import arff

    with open_bytes(path) as file:
        text = file.read().decode(encoding_of(path))
    rows, attributes = arff.loadarff(StringIO(text))
    frame = pandas.DataFrame(rows)
    for name, kind in zip(attributes.names(), attributes.types(), strict=True):
        if kind == "nominal":
            texts = frame[name].str.decode("utf-8").str.strip("'\"")
            frame[name] = texts.where(~texts.isin(MISSING))
    return frame


def _read_json(path: Path, pandas: Any) -> "DataFrame":
    """Read an object in each line, or a list of objects."""
    with open_bytes(path) as file:
        if plain_suffix(path) == ".json" and file.read(1000).lstrip().startswith(b"["):
            file.seek(0)
            return pandas.DataFrame(json.load(file))
    with open_bytes(path) as file:
        numbered = [(i, line) for i, line in enumerate(file, 1) if line.strip()]
    return pandas.DataFrame([_json_object(line, i, path) for i, line in numbered])


def _json_object(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        given, todo = f"line {number} of {path} is no JSON object", f"correct line {number}"
        raise FileError(given, 'an object in each line: {"text": "..."}', todo)
    return found


def _joined(
    frame: "DataFrame", other: "DataFrame", path: Path, test: Path
) -> tuple["DataFrame", str]:
    """Put the test part behind the rest. Columns that it lacks are missing there."""
    import pandas

    lacking = [name for name in frame.columns if name not in other.columns]
    if len(lacking) > 1 or (lacking and len(frame.columns) != len(other.columns) + 1):
        raise FileError(
            f"{test} has no column {', '.join(map(repr, lacking[:5]))}, which {path.name} has",
            f"the same columns in both: {', '.join(frame.columns[:20])}",
            "give a test part with these columns, or none",
        )
    note = f"beside {path.name}"
    return pandas.concat(
        [frame, other[[n for n in frame.columns if n in other.columns]]], ignore_index=True
    ), note


def _refuse_empty(frame: "DataFrame", path: Path) -> None:
    if not len(frame):
        raise FileError(f"the table {path} has no rows", "a row at least", "give another file")
    if not np.size(frame.columns):
        raise FileError(f"the table {path} has no columns", "columns", "give another file")
