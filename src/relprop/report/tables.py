"""Rows of a table as samples.

Takes a file and a function of the user's. Gives batches. A row that is not numbers is named and
left out.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FileError, InputError, first_line
from ..plot.tables import ColumnNames
from ..plot.view import ViewKind
from ..support.arguments import suggest
from ..support.extras import needs, needs_library
from .batches import Batch, LeftOut, spread
from .classes import is_number, ordered_labels

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")


class TableSamples:
    """Rows of a table; see `Samples`.

    Args:
        path: The file.
        target: Column of the labels; None: there are none.
        encode: A function of the user's, from a DataFrame without the labels to one of numbers, or
            to a tensor (rows, columns); None: the columns are numbers.
        named: What the preprocessing is called in the report.
    """

    kind: ViewKind = "table"

    def __init__(
        self, path: Path, target: str | None, encode: Callable[[Any], Any] | None, named: str
    ) -> None:
        frame = read_table(path)
        self._labels = None if target is None else _labels(frame, target, path)
        columns = frame if target is None else frame.drop(columns=[target])
        encoded = columns if encode is None else encode(columns.copy())
        if not isinstance(encoded, Tensor):
            self.columns = ColumnNames(list(map(str, encoded.columns)), _groups(columns, encoded))
            encoded = _numbers(encoded, path)
        else:
            self.columns = ColumnNames()
        if len(encoded) != len(frame):
            given = f"{len(encoded)} rows after preprocessing of {len(frame)}"
            raise InputError(given, "a row for each row", "keep all rows in --preprocess")
        self._values, self._name = encoded, path.name
        self._shown = _kept_apart(columns, self.columns)
        self.count = len(frame)
        self.preprocessing = named
        self.label_names: Sequence[str] = ordered_labels(self._labels or ())

    def batches(self, size: int, total: int) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Read rows; see `Samples`."""
        places = spread(self.count, total)
        for start in range(0, total, size):
            rows = places[start : start + size]
            complete = [i for i in rows if bool(self._values[i].isfinite().all())]
            left_out = [
                LeftOut(f"row {i + 1} of {self._name}", "a value that is missing or no number")
                for i in rows
                if i not in complete
            ]
            labels = [None if self._labels is None else self._labels[i] for i in complete]
            names = [f"row {i + 1}" for i in complete]
            inputs, values = self._values[complete], [self._originals(i) for i in complete]
            yield Batch(names, labels, inputs, values=values), left_out

    def _originals(self, row: int) -> dict[str, str]:
        """Return what the file has in a row, by the names of the features."""
        return {name: _value_text(column.iloc[row]) for name, column in self._shown.items()}


def read_table(path: Path) -> "DataFrame":
    """Read a CSV, TSV or Parquet file.

    Raises:
        FileError: It is missing, empty or damaged.
    """
    with needs("explain", "tables"):
        import pandas
    if not path.is_file():
        raise FileError(f"there is no file {path}", "a table", "give its path")
    try:
        if path.suffix == ".parquet":
            with needs_library("pyarrow", "Parquet files"):
                import pyarrow  # noqa: F401
            frame = pandas.read_parquet(path, engine="pyarrow")
        else:
            separator = "\t" if ".tsv" in path.suffixes else ","
            frame = pandas.read_csv(path, sep=separator, skipinitialspace=True)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        given = f"the table {path} cannot be read: {first_line(error)}"
        raise FileError(given, ", ".join(TABLE_SUFFIXES), "save it again") from error
    if not len(frame):
        raise InputError(f"the table {path} has no rows", "a row at least", "give another file")
    return frame


def _labels(frame: "DataFrame", target: str, path: Path) -> list[str | None]:
    if target not in frame.columns:
        names = list(map(str, frame.columns))
        near = suggest(target, names).replace('"', "").replace("write ", "write --target ")
        if any(map(is_number, names)):
            near = "write the names of the columns in a first row: this one looks like a sample"
        given = f"{path} has no column {target!r}"
        raise InputError(given, ", ".join(names[:20]), near)
    return [_label_text(value) for value in frame[target].tolist()]


def _label_text(value: object) -> str | None:
    """Write a label; of a missing one None, of a number that is whole without a point."""
    if value is None or value != value:
        return None
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _groups(columns: "DataFrame", encoded: "DataFrame") -> dict[str, Sequence[str | int]] | None:
    """Find the columns of 0 and 1 that stand for a column of texts, by their names.

    Of several columns that a name begins with, such as job and job_type, it is the longest.
    """
    originals, made = list(map(str, columns.columns)), list(map(str, encoded.columns))
    replaced = sorted(set(originals) - set(made), key=len)
    groups: dict[str, list[str | int]] = {}
    for i, one in enumerate(made):
        begins = [name for name in replaced if one.startswith((f"{name}_", f"{name}="))]
        if begins and one not in originals:
            groups.setdefault(begins[-1], []).append(i)
    return dict(groups) or None


def _kept_apart(columns: "DataFrame", encoded: ColumnNames) -> dict[str, "Series[Any]"]:
    """Return the columns of the file that are a feature of the same name: scaled, or one-hot."""
    features = {*(encoded.names or ()), *(encoded.groups or ())}
    return {str(name): columns[name] for name in columns.columns if str(name) in features}


def _value_text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).strip()


def _numbers(frame: "DataFrame", path: Path) -> Tensor:
    texts = [str(name) for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    if texts:
        raise InputError(
            f"{path} has columns of texts: {', '.join(texts[:6])}",
            "columns of numbers, as the model takes them",
            "write --preprocess my_net.py:encode, a function from the DataFrame to numbers",
        )
    return torch.from_numpy(frame.to_numpy(dtype=np.float64, na_value=np.nan).copy())
