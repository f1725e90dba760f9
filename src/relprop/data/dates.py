"""Reads dates that are written as texts or numbers, and tells whether the day is written first.

Takes a column. Gives dates without a time zone. Must not know what a column is used for.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import Series

_MONTH = (
    r"(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?"
    r"|oct(ober)?|nov(ember)?|dec(ember)?)\.?"
)
_DAY = r"\d{1,2}(st|nd|rd|th)?"
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
    rf"|([a-z]+,? )?({_DAY}[- ]{_MONTH}|{_MONTH} {_DAY}),?[- ]\d{{4}}( .*)?",
    re.IGNORECASE,
)
_DAYS = (10_000_101, 29_991_231)  # numbers such as 20240131
# Seconds since 1970, and what is a thousandth, a millionth, a billionth of them: from 2001 to 2286.
_SINCE_1970 = {"s": 1e9, "ms": 1e12, "us": 1e15, "ns": 1e18}
_FIRST = r"^\s*(\d{1,2})[-/.]\d{1,2}[-/.]"


def share_of_dates(texts: "Series[Any]") -> float:
    """Return which share of texts is written as dates are."""
    return float(texts.str.fullmatch(_DATE).mean()) if len(texts) else 0.0


def written_order(values: "Series[Any]") -> str:
    """Say what numbers such as 05/01/2020 begin with: "day" where one does not fit a month.

    Args:
        values: A column. All of it is looked at: the first rows may be of the start of a month.

    Returns:
        "day" or "month"; "" where no date is written so.
    """
    if values.dtype.kind == "M":
        return ""
    texts = values.dropna().astype("str")
    first = texts.str.extract(_FIRST, expand=False).dropna().astype(int)
    if not len(first):
        return ""
    return "day" if bool((first > 12).any()) else "month"


def read_dates(values: "Series[Any]", day_first: bool) -> Any:
    """Return a column as datetime64[us], which has room for 9999-12-31; others are missing.

    Args:
        values: Texts, or dates, with or without a time zone, which becomes UTC; of numbers those
            such as 20240131, and seconds since 1970.
        day_first: Whether 05/01/2020 is the fifth of January.
    """
    import pandas

    if values.dtype.kind == "M":
        zoned = getattr(values.dtype, "tz", None) is not None
        dates = values.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else values
    elif values.dtype.kind in "biuf":
        dates = _of_numbers(values)
    else:
        periods = isinstance(values.dtype, pandas.PeriodDtype)  # written as 2024-01
        values = values.astype("str") if periods else values
        dates = pandas.to_datetime(
            values, errors="coerce", dayfirst=day_first, format="mixed", utc=True
        ).dt.tz_localize(None)
    return dates.astype("datetime64[us]")


def _of_numbers(values: "Series[Any]") -> Any:
    """Read numbers as dates, each by itself: pandas takes all of them for billionths of seconds."""
    import pandas

    numbers = values.astype("float64")
    days = numbers.where(numbers.between(*_DAYS) & (numbers % 1 == 0))
    texts = days.astype("Int64").astype("str")
    dates = pandas.to_datetime(texts, format="%Y%m%d", errors="coerce").astype("datetime64[us]")
    for unit, start in _SINCE_1970.items():
        inside = numbers.between(start, 10 * start, inclusive="left")
        whole = numbers.where(inside).round().astype("Int64")
        times = pandas.to_datetime(whole, unit=unit).astype("datetime64[us]")
        dates = dates.fillna(times)
    return dates
