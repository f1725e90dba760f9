"""Reads numbers that are written as texts: 1,234.50, $5, 12 %.

Takes a column. Gives numbers, and the sign they are written with. Must not know what a column is
used for.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import Series

THOUSANDS = ""  # the sign of numbers that have commas between groups of three digits, and no other
_CURRENCIES = "$€£¥₹"
_WRITTEN = (
    rf"(?P<sign>[-+]?)(?P<before>[{_CURRENCIES}]?)\s*(?P<late>[-+]?)"
    r"(?P<whole>[1-9]\d{0,2}(?:,\d{3})+|\d*)(?P<fraction>(?:\.\d*)?)"
    rf"\s*(?P<after>[%{_CURRENCIES}]?)"
)


@dataclass(frozen=True)
class WrittenNumbers:
    """What texts are as numbers.

    Attributes:
        values: float64; NaN for a text that is no number.
        sign: "$", "%" and the like where numbers are written with it, "" where some have commas
            between thousands alone; None: all are written plainly.
        example: One that is not written plainly, with what it is read as; "" where all are.
    """

    values: "Series[Any]"
    sign: str | None = None
    example: str = ""


def read_numbers(values: "Series[Any]") -> WrittenNumbers:
    """Read texts as numbers, also those with separators of thousands, currencies and per cent.

    Numbers of several currencies, and per cent beside plain numbers, are not of one scale: then
    plain numbers alone are read. What is infinite is no number here.

    Args:
        values: A column; missing values stay missing.
    """
    plain = _plain(values)
    plain = plain.mask(np.isinf(plain))
    if plain.isna().sum() == values.isna().sum():
        return WrittenNumbers(plain)
    written, signs = _written(values[plain.isna()])
    known = set(signs.dropna())
    sign = max(known, default=None)
    plain_as_well = plain.notna().any() or THOUSANDS in known
    if sign is None or len(known - {THOUSANDS}) > 1 or (sign == "%" and plain_as_well):
        return WrittenNumbers(plain)
    first = written.first_valid_index()
    example = f"{str(values[first]).strip()!r} is {written[first]:.12g}"
    return WrittenNumbers(plain.fillna(written), sign, example)


def read_numbers_with(values: "Series[Any]", sign: str | None) -> "Series[Any]":
    """Read numbers as they were written in the training part, or plainly; other texts are NaN.

    Args:
        values: A column.
        sign: As `WrittenNumbers.sign` of the training part.
    """
    plain = _plain(values)
    if sign is None or values.dtype.kind in "iufb":
        return plain
    written, signs = _written(values[plain.isna()])
    return plain.fillna(written.where(signs.isin([sign, THOUSANDS])))


def _plain(values: "Series[Any]") -> Any:
    import pandas

    return pandas.to_numeric(values, errors="coerce").astype(np.float64)


def _written(values: "Series[Any]") -> tuple["Series[Any]", "Series[Any]"]:
    """Return texts as numbers, NaN for others, and the sign of each, "" for none."""
    parts = values.astype("str").str.strip().str.extract(f"^{_WRITTEN}$")
    # -$5 and $-5, but not -$-5; $5 and 5 $, but not $5 €
    twice = parts["sign"].ne("") & parts["late"].ne("")
    twice |= parts["before"].ne("") & parts["after"].ne("")
    digits = parts["sign"] + parts["late"] + parts["whole"].str.replace(",", "")
    numbers = _plain((digits + parts["fraction"]).mask(twice))
    return numbers, (parts["before"] + parts["after"]).where(numbers.notna())
