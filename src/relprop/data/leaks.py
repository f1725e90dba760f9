"""Finds columns that give the target away.

Takes columns with their kinds, and a target. Gives sentences. Must not know how either was read.
"""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import ColumnKind, DataTarget

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_MOSTLY = 0.95  # of the rows, in which a column that goes with the target has a value
_SAME = 1 - 1e-9  # correlation of a column with a value of which it is a multiple


def find_leaks(
    frame: "DataFrame", columns: Mapping[str, ColumnKind], target: DataTarget
) -> tuple[str, ...]:
    """Name the columns that are the target in other words.

    Args:
        frame: The columns, rows that have a target alone.
        columns: Their kinds.
        target: What is predicted.

    Returns:
        A sentence for each column that goes one to one with the classes, with a label, or is a
        multiple of the value.
    """
    if target.task == "value":
        numbers = [name for name, kind in columns.items() if kind == "number"]
        same = [name for name in numbers if _is_multiple(frame[name], target.values)]
        return tuple(_sentence(name, "a multiple of the target") for name in same)
    labels = target.values if target.values.ndim == 2 else target.values[:, None]
    return tuple(
        _sentence(name, "one to one with the target")
        for name in columns
        if any(_one_to_one(frame[name], label) for label in labels.T)
    )


def _sentence(name: str, how: str) -> str:
    drop = f"write --drop {shlex.quote(name)}"
    return f"Column {name!r} is {how}: if it is not known when predicting, {drop}."


def _is_multiple(column: "Series[Any]", values: Any) -> bool:
    numbers = column.to_numpy(np.float64)
    there = np.isfinite(numbers)
    if there.sum() < 3 or np.ptp(numbers[there]) == 0 or np.ptp(values[there]) == 0:
        return False
    return bool(abs(np.corrcoef(numbers[there], values[there])[0, 1]) >= _SAME)


def _one_to_one(column: "Series[Any]", label: Any) -> bool:
    """Tell whether each value of a column goes with one class, and each class with one value.

    A missing value may be one of these, or a gap in a column that is rarely missing.
    """
    there = column.notna().to_numpy()
    rarely = _MOSTLY <= there.mean() < 1
    gaps = bool(rarely) and _goes_with(column[there], label[there])
    return gaps or _goes_with(column, label)


def _goes_with(column: "Series[Any]", label: Any) -> bool:
    import pandas

    values = pandas.factorize(column, use_na_sentinel=False)[0].astype(np.int64)
    count = int(values.max()) + 1
    classes = np.unique(label, return_inverse=True)[1]
    if count == 1 or count != int(classes.max()) + 1:
        return False
    return len(np.unique(values * count + classes)) == count
