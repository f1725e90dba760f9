"""Columns of a table as arrays: numbers, text of categories, parts of dates.

Takes a frame and what its columns are. Gives arrays, or an error that names the column. Must not
know what becomes of them.

n  rows
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.columns import category_texts
from ..data.dataset import ColumnKind
from ..data.dates import read_dates
from ..data.numbers import read_numbers_with
from ..data.words import counted
from ..errors import InputError
from ..support.arguments import suggest

if TYPE_CHECKING:
    from pandas import DataFrame, Series

# What a date becomes: numbers, by what they are called. Days count from 1970.
DATE_PARTS = ("year", "month", "weekday", "hour", "days")
# What a missing category is; no text of a file, which has no spaces around it, is equal to it.
MISSING_CATEGORY = " missing"


def check_columns(frame: Any, kinds: Mapping[str, ColumnKind]) -> None:
    """Raise InputError unless a frame has all columns; it may have others, in any order."""
    names = getattr(frame, "columns", None)
    if names is None:
        given = f"rows as a {type(frame).__name__}"
        raise InputError(given, "a pandas DataFrame", "write pandas.DataFrame(rows)")
    missing = [name for name in kinds if name not in names]
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        given = f"a table without the {word} {', '.join(map(repr, missing))}"
        others = [str(name) for name in names if name not in kinds]
        near = suggest(missing[0], others, otherwise="")
        rename = near.replace("write ", "rename ") + f' to "{missing[0]}"' if near else ""
        it = "it" if len(missing) == 1 else "them"
        todo = rename or f"add {it}; write float('nan') where a value is not known"
        raise InputError(given, f"the columns {', '.join(kinds)}", todo)


def number_column(frame: "DataFrame", name: str, sign: str | None = None) -> NDArray[np.float64]:
    """Return a column of numbers, (n,); a missing one is NaN, an infinite one too, with a warning.

    Args:
        frame: The table.
        name: The column.
        sign: What its numbers are written with in the data that was fitted: "$", "%", or "" for
            commas between thousands; they may be written plainly as well. None: plainly alone.

    Raises:
        InputError: It holds text that is no number.
    """
    column = frame[name]
    if column.dtype.kind == "m":  # a duration is a number of seconds
        column = column.dt.total_seconds()
    values = read_numbers_with(column, sign)
    numbers = np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    wrong = np.isnan(numbers) & frame[name].notna().to_numpy()
    if wrong.any():
        given = f"{_shown(frame[name][wrong])} in the column {name!r}, which holds numbers"
        allowed = "numbers; NaN where one is missing" if not sign else f"numbers, also with {sign}"
        raise InputError(given, allowed, "write float('nan') where one is missing")
    if infinite := int(np.isinf(numbers).sum()):  # as in the training part
        found = f"Column {name!r} has {counted(infinite, 'infinite value')}"
        warnings.warn(f"{found}: taken as missing.", stacklevel=2)
    return np.where(np.isinf(numbers), np.nan, numbers)


def text_column(frame: "DataFrame", name: str) -> NDArray[np.object_]:
    """Return a column of categories as text, (n,); a missing one is `MISSING_CATEGORY`."""
    text = category_texts(frame[name])
    return np.where(text.notna(), text.to_numpy(dtype=object), MISSING_CATEGORY)


def date_column(frame: "DataFrame", name: str, day_first: bool = False) -> NDArray[np.float64]:
    """Return the parts of a column of dates, (n, parts), in the order of `DATE_PARTS`.

    Args:
        frame: The table.
        name: The column.
        day_first: Whether 05/01/2020 is the fifth of January, as in the data that was fitted.

    Raises:
        InputError: It holds text that is no date.
    """
    dates = read_dates(frame[name], day_first)
    wrong = (dates.isna() & frame[name].notna()).to_numpy()
    if wrong.any():
        given = f"{_shown(frame[name][wrong])} in the column {name!r}, which holds dates"
        raise InputError(given, "dates; None where one is missing", 'write "2024-12-31 23:59"')
    return np.column_stack([part.to_numpy(dtype=np.float64) for part in _parts(dates)])


def _parts(dates: "Series[Any]") -> list["Series[Any]"]:
    parts, epoch = dates.dt, dates - np.datetime64("1970-01-01")
    days = epoch.dt.total_seconds() / (24 * 60 * 60)
    return [parts.year, parts.month, parts.day_of_week, parts.hour, days]


def _shown(wrong: "Series[Any]") -> str:
    """Return the first of some values, text in quotation marks."""
    first = wrong.iloc[0]
    return repr(first) if isinstance(first, str) else str(first)
