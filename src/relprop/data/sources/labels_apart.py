"""Joins a table with its target where that is in a file of its own: X_train.csv, y_train.csv.

Takes paths, and tables as they were read. Gives one table, and the names of its targets. Must not
know how tables are read.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from .opened import plain_stem, plain_suffix

if TYPE_CHECKING:
    from pandas import DataFrame

_FEATURES = re.compile(r"(?<![^-_. ])(x|features)(?![^-_. ])", re.IGNORECASE)
_LABELS = {"x": ("y",), "features": ("labels", "label", "targets", "target")}
_NAME = "target"


def labels_beside(path: Path) -> Path | None:
    """Find the file of the labels of a table: y.csv beside X.csv, labels.csv beside features.csv.

    Args:
        path: The table; before and behind X or features its name is that of the labels.
    """
    stem = plain_stem(path)
    found = _FEATURES.search(stem)
    if found is None:
        return None
    start, end = found.span()
    names = [stem[:start] + word + stem[end:] for word in _LABELS[found[0].lower()]]
    wanted = [name.lower() for name in names]
    beside = [
        one
        for one in sorted(path.parent.iterdir())
        if plain_stem(one).lower() in wanted and plain_suffix(one) == plain_suffix(path)
    ]
    return min(beside, key=lambda one: wanted.index(plain_stem(one).lower()), default=None)


def join_labels(
    table: tuple[Path, "DataFrame", NDArray[np.int64], int],
    labels: tuple[Path, "DataFrame", bool],
) -> tuple["DataFrame", tuple[str, ...]]:
    """Put the labels of a table into columns behind its own.

    Args:
        table: Its path, the rows that were read, their numbers in the file, and how many it has.
        labels: Their path, all of them, and whether their columns have names.

    Returns:
        The table with the labels, and the names of their columns.

    Raises:
        FileError: There are more or fewer labels than rows, or rows are named otherwise.
    """
    path, frame, rows, total = table
    file, found, named = labels
    if not named and len(found) == total + 1:  # its name is a number, as pandas writes it
        found = found.iloc[1:].infer_objects()
    if len(found) != total:
        given = f"{path} has {total:,} rows, and {file.name} {len(found):,} labels"
        todo = f"correct one of them, or rename {file.name} if it is other data"
        raise FileError(given, "a label for each row, in the same order", todo)
    found = found.iloc[rows].reset_index(drop=True)
    for name in [one for one in found.columns if one in frame.columns and named]:
        if not found[name].equals(frame[name]):
            given = f"{file.name} has other values in the column {name!r} than {path}"
            raise FileError(given, "the same rows in the same order", f"sort both by {name}")
        found = found.drop(columns=name)
    if found.shape[1] > 1 and _counts_rows(found.iloc[:, 0].to_numpy(), rows):
        found = found.iloc[:, 1:]
    if not named:
        several = found.shape[1] > 1
        found.columns = [f"{_NAME} {i + 1}" if several else _NAME for i in range(found.shape[1])]
    return frame.assign(**{str(name): found[name] for name in found.columns}), tuple(
        map(str, found.columns)
    )


def _counts_rows(values: NDArray[np.object_], rows: NDArray[np.int64]) -> bool:
    """Tell whether a column has nothing but the numbers of the rows, from 0 or 1."""
    return values.dtype.kind in "iu" and any(np.array_equal(values, rows + i) for i in (0, 1))
