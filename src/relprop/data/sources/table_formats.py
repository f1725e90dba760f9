"""Reads tables that say themselves what their columns are: Parquet, ARFF, JSON.

Takes paths. Gives all columns, or the errors of the libraries that read them. Must not know what
the columns mean.
"""

import json
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import FileError
from .opened import encoding_of, open_bytes, plain_suffix
from .table_layout import MISSING

if TYPE_CHECKING:
    from pandas import DataFrame

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


def refuse_converted(path: Path) -> None:
    """Raise FileError for a table of a format that has to be converted."""
    if reader := CONVERTED.get(plain_suffix(path)):
        raise FileError(
            f"{path} is a table of the format {plain_suffix(path)}",
            ".csv, .tsv, .parquet, .arff, .json, .jsonl",
            f"write in Python: pandas.{reader}({str(path)!r})"
            f".to_csv({str(path.with_suffix('.csv'))!r}, index=False)",
        )


def read_parquet(path: Path, pandas: Any) -> "DataFrame":
    """Read a Parquet file by pyarrow."""
    with open_bytes(path) as file:
        return pandas.read_parquet(file, engine="pyarrow")


def read_arff(path: Path, pandas: Any) -> "DataFrame":
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


def read_json(path: Path, pandas: Any) -> "DataFrame":
    """Read an object in each line, a list of objects, or an object of columns, as pandas writes."""
    with open_bytes(path) as file:
        content = file.read().removeprefix(b"\xef\xbb\xbf")
    if plain_suffix(path) == ".json":
        with suppress(ValueError):  # several objects: one in each line
            found = json.loads(content)
            if (frame := _frame_of(found, pandas)) is not None:
                return frame
    numbered = [(i, line) for i, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    return pandas.DataFrame([_json_object(line, i, path) for i, line in numbered])


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
