"""Reads tables that say themselves what their columns are: Parquet, ARFF, JSON.

Takes paths. Gives all columns of as many rows as fit into memory, or the errors of the libraries
that read them. Must not know what the columns mean.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from itertools import compress, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ..memory import Limit
from .opened import encoding_of, open_bytes, plain_suffix
from .table_layout import MISSING

if TYPE_CHECKING:
    from pandas import DataFrame

BLOCK = 10_000  # rows that are read at a time, where a table is larger than memory
_HEAD = 1000  # rows by which the size of all is judged
_MARK = b"\xef\xbb\xbf"  # of UTF-8, at the start of a file

# Tables that are not read, by what of pandas reads them: a sheet, a part of it and its names have
# to be chosen there.
CONVERTED = {
    ".xlsx": "read_excel",
    ".xls": "read_excel",
    ".ods": "read_excel",
    ".feather": "read_feather",
    ".dta": "read_stata",
    ".sav": "read_spss",
    ".sas7bdat": "read_sas",
}


@dataclass(frozen=True)
class TableRows:
    """Rows of a table.

    Attributes:
        frame: The rows, all columns.
        rows: Their numbers in the file.
        total: How many rows the file has.
        notes: Sentences to show.
    """

    frame: "DataFrame"
    rows: NDArray[np.int64]
    total: int
    notes: list[str]


def refuse_converted(path: Path) -> None:
    """Raise FileError for a table of a format that has to be converted."""
    if reader := CONVERTED.get(plain_suffix(path)):
        raise FileError(
            f"{path} is a table of the format {plain_suffix(path)}",
            ".csv, .tsv, .parquet, .arff, .json, .jsonl",
            f"write in Python: pandas.{reader}({str(path)!r})"
            f".to_csv({str(path.with_suffix('.csv'))!r}, index=False)",
        )


def read_parquet(path: Path, limit: Limit, pandas: Any) -> TableRows:
    """Read a Parquet file by pyarrow; one that is larger than memory block by block."""
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

    with open_bytes(path) as file:
        source = ParquetFile(file)
        total = source.metadata.num_rows

        def blocks(rows: int) -> "Iterator[DataFrame]":
            return (Table.from_batches([one]).to_pandas() for one in source.iter_batches(rows))

        head = next(blocks(_HEAD)) if total else source.read().to_pandas()
        rows, notes = limit.choose(total, _size(head, total), "rows", path)
        if rows is None:
            return TableRows(source.read().to_pandas(), np.arange(total), total, notes)
        start, kept = 0, []
        for block in blocks(BLOCK):
            kept.append(block.iloc[rows[(rows >= start) & (rows < start + len(block))] - start])
            start += len(block)
    return TableRows(pandas.concat(kept, ignore_index=True), rows, total, notes)


def read_arff(path: Path, limit: Limit, pandas: Any) -> TableRows:
    """Read an ARFF file by scipy, whose texts are bytes and whose missing classes are "?"."""
    encoding = encoding_of(path)
    with _arff_lines(path, encoding) as (header, lines):
        head = _arff_frame(header, islice(lines, _HEAD), pandas)
        total = len(head) + sum(1 for _ in lines)
    rows, notes = limit.choose(total, _size(head, total), "rows", path)
    with _arff_lines(path, encoding) as (header, lines):
        frame = _arff_frame(header, _chosen(lines, rows, total), pandas)
    return TableRows(frame, np.arange(total) if rows is None else rows, total, notes)


@contextmanager
def _arff_lines(path: Path, encoding: str) -> Iterator[tuple[list[str], Iterator[str]]]:
    """Open an ARFF file: the lines to "@data", and those of samples."""
    with open_bytes(path) as file:
        text = TextIOWrapper(cast(BinaryIO, file), encoding)
        header = []
        for line in text:
            header.append(line)
            if line.strip().lower() == "@data":
                break
        yield header, (line for line in text if line.strip() and not line.lstrip().startswith("%"))


def _arff_frame(header: list[str], lines: Iterable[str], pandas: Any) -> "DataFrame":
    from scipy.io import arff

    rows, attributes = arff.loadarff(StringIO("".join([*header, *lines])))
    frame = pandas.DataFrame(rows)
    for name, kind in zip(attributes.names(), attributes.types(), strict=True):
        if kind == "nominal":
            texts = frame[name].str.decode("utf-8").str.strip("'\"")
            frame[name] = texts.where(~texts.isin(MISSING))
    return cast("DataFrame", frame)


def read_json(path: Path, limit: Limit, pandas: Any) -> TableRows:
    """Read a list of objects, an object of columns, as pandas writes, or an object in each line."""
    with open_bytes(path) as file:
        if file.seek(0, os.SEEK_END) > limit.bytes:
            return _read_larger_json(path, limit, pandas)
        file.seek(0)
        content = file.read().removeprefix(_MARK)
    with suppress(ValueError):  # several objects: one in each line
        found = json.loads(content)
        if (frame := _frame_of(found, pandas)) is not None:
            rows, notes = limit.choose(len(frame), _size(frame, len(frame)), "rows", path)
            total = len(frame)
            if rows is None:
                return TableRows(frame, np.arange(total), total, notes)
            return TableRows(frame.iloc[rows].reset_index(drop=True), rows, total, notes)
    del content
    return read_json_lines(path, limit, pandas)


def _read_larger_json(path: Path, limit: Limit, pandas: Any) -> TableRows:
    """Read a file of an object in each line; any other has to be read whole."""
    try:
        return read_json_lines(path, limit, pandas)
    except FileError as error:
        raise FileError(
            f"{path} is larger than {limit.bytes:,} bytes of memory, and can only be read whole",
            "an object in each line, which is read in parts",
            f"write in Python: pandas.read_json({str(path)!r})"
            f".to_json({str(path.with_suffix('.jsonl'))!r}, orient='records', lines=True)",
        ) from error


def read_json_lines(path: Path, limit: Limit, pandas: Any) -> TableRows:
    """Read an object in each line; a file that is larger than memory block by block."""
    with open_bytes(path) as file:
        lines = _json_lines(file)
        head = pandas.DataFrame(_objects(islice(lines, _HEAD), path))
        total = len(head) + sum(1 for _ in lines)
    rows, notes = limit.choose(total, _size(head, total), "rows", path)
    blocks = [head.iloc[:0]] if total == 0 else []
    with open_bytes(path) as file:
        chosen = _chosen(_json_lines(file), rows, total)
        while block := _objects(islice(chosen, BLOCK), path):
            blocks.append(pandas.DataFrame(block))
    frame = pandas.concat(blocks, ignore_index=True)
    return TableRows(frame, np.arange(total) if rows is None else rows, total, notes)


def _objects(lines: Iterable[tuple[bytes, int]], path: Path) -> list[dict[str, Any]]:
    return [_json_object(line, number, path) for line, number in lines]


def _json_lines(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the lines that are not empty, with their numbers."""
    for number, line in enumerate(file, 1):
        plain = line.removeprefix(_MARK) if number == 1 else line
        if plain.strip():
            yield plain, number


def _chosen(lines: Iterator[Any], rows: NDArray[np.int64] | None, total: int) -> Iterator[Any]:
    """Yield those of the lines that were chosen; None: all."""
    return lines if rows is None else compress(lines, np.isin(np.arange(total), rows))


def _size(head: "DataFrame", total: int) -> int:
    """Judge by the first rows how many bytes all of them take."""
    return int(head.memory_usage(deep=True).sum() / max(len(head), 1) * total)


def _frame_of(found: Any, pandas: Any) -> "DataFrame | None":
    """Make a table of a whole JSON file; None of one that is laid out otherwise."""
    if not isinstance(found, dict):
        return pandas.DataFrame(found) if isinstance(found, list) else None
    lists = [name for name, value in found.items() if isinstance(value, list)]
    if {"columns", "data"} <= {*lists}:  # to_json(orient="split")
        return pandas.DataFrame(found["data"], columns=found["columns"])
    if len(lists) == 1 and all(isinstance(row, dict) for row in found[lists[0]]):
        return pandas.DataFrame(found[lists[0]])  # rows, and what is said of them
    if lists and len(lists) == len(found):
        return pandas.DataFrame(found)
    if not found or not all(isinstance(value, dict) for value in found.values()):
        return None
    frame = pandas.DataFrame(found)  # to_json(), or of rows: to_json(orient="index")
    rows = all(name.isdigit() for name in found) and not all(map(str.isdigit, frame.index))
    return (frame.T.infer_objects() if rows else frame).reset_index(drop=True)


def _json_object(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        given, todo = f"line {number} of {path} is no JSON object", f"correct line {number}"
        raise FileError(given, 'an object in each line: {"text": "..."}', todo)
    return found
