"""Reads numbers that are written as texts: 1,234.50, 1.234,50 €, $5, 12 %, (3.50) for -3.50.

Takes a column. Gives numbers, and the sign they are written with. Must not know what a column is
used for.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import Series

THOUSANDS = ""  # the sign of numbers that have commas between groups of three digits, and no other
COMMA = ","  # begins the sign of numbers that have a comma before their fraction, as in 1.234,50
_CURRENCIES = "$€£¥₹"
_SPACES = (
    " \u00a0\u202f'\u2019"  # between groups of three digits, whatever stands before a fraction
)


def _written_with(thousands: str, point: str) -> str:
    """Return the pattern of a number, by what stands between thousands and before a fraction."""
    return (
        rf"(?P<sign>[-+]?)(?P<before>[{_CURRENCIES}]?)\s*(?P<late>[-+]?)"
        rf"(?P<whole>[1-9]\d{{0,2}}(?:[{thousands}{_SPACES}]\d{{3}})+|\d*)"
        rf"(?P<fraction>(?:[{point}]\d*)?)\s*(?P<after>[%{_CURRENCIES}]?)"
    )


_POINTED, _COMMAED = _written_with(",", "."), _written_with(".", ",")


@dataclass(frozen=True)
class WrittenNumbers:
    """What texts are as numbers.

    Attributes:
        values: float64; NaN for a text that is no number.
        sign: "$", "%" and the like where numbers are written with it, "" where some have commas or
            spaces between thousands alone; with a comma in front where one stands before the
            fraction of each. None: all are written plainly.
        example: One that is not written plainly, with what it is read as; "" where all are.
    """

    values: "Series[Any]"
    sign: str | None = None
    example: str = ""


def read_numbers(values: "Series[Any]") -> WrittenNumbers:
    """Read texts as numbers, also those with separators of thousands, currencies and per cent.

    Numbers of several currencies, and per cent beside plain numbers, are not of one scale: then
    plain numbers alone are read. A comma stands before the fraction where all numbers can be read
    so, and one not otherwise: 1,5 or 1.234,50, but not 1,234. What is infinite is no number here.

    Args:
        values: A column; missing values stay missing.
    """
    plain = _plain(values)
    plain = plain.mask(np.isinf(plain))
    if plain.isna().sum() == values.isna().sum():
        return WrittenNumbers(plain)
    comma = COMMA if _have_commas(values.dropna().astype("str").unique()) else ""
    written, signs = _written(values if comma else values[plain.isna()], comma)
    plain = plain.mask(written.notna()) if comma else plain  # 1.234 is 1234 there
    known = set(signs.dropna())
    sign = max(known, default=None)
    plain_as_well = plain.notna().any() or THOUSANDS in known
    if sign is None or len(known - {THOUSANDS}) > 1 or (sign == "%" and plain_as_well):
        return WrittenNumbers(plain)
    first = written.first_valid_index()
    example = f"{str(values[first]).strip()!r} is {written[first]:.12g}"
    return WrittenNumbers(plain.fillna(written), comma + sign, example)


def read_numbers_with(values: "Series[Any]", sign: str | None) -> "Series[Any]":
    """Read numbers as they were written in the training part, or plainly; other texts are NaN.

    Args:
        values: A column.
        sign: As `WrittenNumbers.sign` of the training part.
    """
    plain = _plain(values)
    if sign is None or values.dtype.kind in "iufb":
        return plain
    comma = COMMA if sign.startswith(COMMA) else ""
    texts = values.map(lambda value: isinstance(value, str)).astype(bool)
    written, signs = _written(values[texts if comma else plain.isna()], comma)
    plain = plain.mask(written.notna().reindex(values.index, fill_value=False)) if comma else plain
    return plain.fillna(written.where(signs.isin([sign.removeprefix(COMMA), THOUSANDS])))


def _have_commas(texts: Any) -> bool:
    """Tell whether the numbers of a column have a comma before their fraction.

    Some can only be read so, such as 1,5 and 1.234,50, and none can only be read with a point.
    """
    import pandas

    different = pandas.Series(texts, dtype="str")
    commaed, pointed = (_written(different, comma)[0].notna() for comma in (COMMA, ""))
    return bool((commaed & ~pointed).any() and not (pointed & ~commaed).any())


def _plain(values: "Series[Any]") -> Any:
    import pandas

    return pandas.to_numeric(values, errors="coerce").astype(np.float64)


def _written(values: "Series[Any]", comma: str) -> tuple["Series[Any]", "Series[Any]"]:
    """Return texts as numbers, NaN for others, and the sign of each, "" for none."""
    texts = values.astype("str").str.strip().str.replace("\u2212", "-")
    texts = texts.str.replace(r"^\(([^-+()]+)\)$", r"-\1", regex=True)  # as accountants write it
    parts = texts.str.extract(f"^{_COMMAED if comma else _POINTED}$")
    # -$5 and $-5, but not -$-5; $5 and 5 $, but not $5 €
    twice = parts["sign"].ne("") & parts["late"].ne("")
    twice |= parts["before"].ne("") & parts["after"].ne("")
    digits = parts["sign"] + parts["late"] + parts["whole"].str.replace(r"\D", "", regex=True)
    numbers = _plain((digits + parts["fraction"].str.replace(",", ".")).mask(twice))
    return numbers, (parts["before"] + parts["after"]).where(numbers.notna())
