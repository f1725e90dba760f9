"""Decides what each column of a table is: number, category, date, or nothing to learn from.

Takes columns as they were read. Gives them in the form that `Samples` has for tables, with kinds
and reasons. Must not know which column is the target, or how a network takes them.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import InputError
from .dataset import ColumnKind, Finding
from .dates import read_dates, share_of_dates, written_order
from .numbers import read_numbers
from .words import counted

if TYPE_CHECKING:
    from pandas import DataFrame, Series

GIVEN = "given"
_MOSTLY = 0.95  # of the values of a column that are numbers or dates, which make it one
_MANY_CATEGORIES = 1000
_MANY_IDS = 20  # different values, from which a column may identify rows
_WORDS = 4.0  # mean number of words from which a column of different values is text
_EXAMINED = 2000  # first values, to tell dates and numbers from other texts
_TEXT_IDENTIFIER = "an identifier: a different text in each row"
_IDENTIFIER = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|index|key)$|^unnamed: 0$|^row$|^unnamed 1$", re.I
)


@dataclass(frozen=True)
class DecidedColumn:
    """What a column of a table is.

    Attributes:
        values: In the form that `Samples` has for tables; None: the column is left out.
        kind: "number", "category", "date"; "text" of one that is left out for its free texts; ""
            of one that is left out for another reason.
        reason: Why.
        warning: What the user should know; "" for nothing.
        day_first: Whether its dates were written with the day before the month.
        sign: What its numbers were written with, as `WrittenNumbers.sign`.
    """

    values: Any
    kind: str
    reason: str
    warning: str = ""
    day_first: bool = False
    sign: str | None = None


def decide_columns(frame: "DataFrame", kinds: Mapping[str, ColumnKind]) -> dict[str, DecidedColumn]:
    """Decide what each column of a table is.

    Args:
        frame: The columns, without the target.
        kinds: Kinds that the user gave.

    Raises:
        InputError: A column cannot be of the kind that the user gave.
    """
    names = [str(name) for name in frame.columns]
    return {name: decide_column(frame[name], kinds.get(name)) for name in names}


def about_column(name: str) -> str:
    """Say what a finding on a column is about; numbered columns are called "column 1"."""
    return name if name.startswith("column ") else f"column {name}"


def keep_columns(
    decided: Mapping[str, DecidedColumn], kinds: Mapping[str, ColumnKind]
) -> tuple["DataFrame", dict[str, ColumnKind], tuple[Finding, ...], tuple[str, ...]]:
    """Make a table of the columns that can be learnt from.

    Args:
        decided: All columns.
        kinds: Kinds that the user gave: such a column is kept although it is a copy.

    Returns:
        The columns that are kept, their kinds, a finding for each column, and warnings.

    Raises:
        InputError: None is left.
    """
    import pandas

    decided = _without_copies(decided, kinds)
    kept = {name: column for name, column in decided.items() if column.values is not None}
    if not kept:
        reasons = "; ".join(
            f"{name}: {column.reason}" for name, column in list(decided.items())[:5]
        )
        given = f"no column to learn from: {reasons or 'there is none beside the target'}"
        name = shlex.quote(f"{next(iter(decided), '')}=category")
        todo = f"write --column {name}" if decided else "add columns"
        if any(column.reason == _TEXT_IDENTIFIER for column in decided.values()):
            todo = "write --modality text"  # texts of few words, such as names
        todo += ", or choose another --target"
        raise InputError(given, "a column of numbers, categories or dates", todo)
    findings = [
        Finding(about_column(name), column.kind if name in kept else "left out", column.reason)
        for name, column in decided.items()
    ]
    return (
        pandas.DataFrame({name: column.values for name, column in kept.items()}),
        {name: cast(ColumnKind, column.kind) for name, column in kept.items()},
        tuple(findings),
        tuple(column.warning for column in decided.values() if column.warning),
    )


def decide_column(values: "Series[Any]", given: ColumnKind | None = None) -> DecidedColumn:
    """Decide what one column is, and bring its values into that form."""
    name = str(values.name)
    present = values.dropna()
    if given is not None:
        return _as_given(values, given)
    if not len(present):
        return DecidedColumn(
            None, "", "all its values are missing", f"Column {name!r} is empty: left out."
        )
    if values.dtype.kind == "M":
        return DecidedColumn(read_dates(values, day_first=False), "date", "dates")
    if values.dtype.kind == "m":
        return _number(values.dt.total_seconds().rename(name), present.dt.total_seconds())
    if values.dtype.kind == "b":
        return _kept_or_constant(category_texts(values), present, "category", "true or false")
    if values.dtype.kind in "iuf":
        return _number(values, present)
    return _text(name, values, present)


def _number(values: "Series[Any]", present: "Series[Any]") -> DecidedColumn:
    name, numbers = str(values.name), values.astype(np.float64)
    whole = values.dtype.kind in "iu" or bool((present == present.round()).all())
    different = present.nunique()
    if whole and different == len(values) > 20:
        steps = np.diff(np.sort(present.to_numpy(np.float64)))
        if _IDENTIFIER.search(name) or bool((steps == 1).all()):
            return DecidedColumn(None, "", "an identifier: a different whole number in each row")
    infinite = int(np.isinf(numbers).sum())
    warning = ""
    if infinite:
        numbers = numbers.where(~np.isinf(numbers))
        warning = f"Column {name!r} has {counted(infinite, 'infinite value')}: taken as missing."
    warning = warning or (_repeated_identifier(name) if whole and different > _MANY_IDS else "")
    reason = f"{different:,} different {'whole ' if whole else ''}numbers"
    return _kept_or_constant(numbers, present, "number", reason, warning)


def _text(name: str, values: "Series[Any]", present: "Series[Any]") -> DecidedColumn:
    _refuse_nested(name, present)
    texts = category_texts(present)
    if _are_codes(texts):
        return DecidedColumn(texts.reindex(values.index), "category", "codes that begin with 0")
    found = _number_texts(values, texts) or _dates(name, values, texts)
    return found or _category(name, values, texts)


def _category(name: str, values: "Series[Any]", texts: "Series[Any]") -> DecidedColumn:
    """Take texts as categories, or leave out free texts and identifiers."""
    different = texts.nunique()
    words = float(texts.iloc[:_EXAMINED].str.count(r"\s+").mean()) + 1
    if words >= _WORDS and different > 0.5 * len(texts) and different > 20:
        return DecidedColumn(None, "text", f"free text, {words:.0f} words on average")
    if different == len(texts) > 20:
        return DecidedColumn(None, "", _TEXT_IDENTIFIER)
    many = f"Column {name!r} has {different:,} categories; many of them are rare."
    warning = _repeated_identifier(name) if different > _MANY_IDS else ""
    warning = warning or (many if different > _MANY_CATEGORIES else "")
    reason = f"{different:,} different texts"
    return _kept_or_constant(texts.reindex(values.index), texts, "category", reason, warning)


def _repeated_identifier(name: str) -> str:
    """Warn of a column whose values stand for persons or things that have several rows."""
    if not _IDENTIFIER.search(name):
        return ""
    group, drop = f"--group {shlex.quote(name)}", f"--drop {shlex.quote(name)}"
    return (
        f"Column {name!r} is named as an identifier, whose values repeat: write {group} or {drop}?"
    )


def _number_texts(values: "Series[Any]", texts: "Series[Any]") -> DecidedColumn | None:
    """Take texts as numbers, if nearly all are; None for other texts."""
    if read_numbers(texts.iloc[:_EXAMINED]).values.notna().mean() < 0.5:
        return None
    found = read_numbers(texts)
    share = float(found.values.notna().mean())
    if share < _MOSTLY:
        return None
    reason, warning = "numbers" if share == 1 else f"numbers in {share:.1%} of its rows", ""
    if found.example:
        reason += f"; {found.example}"
    if share < 1:
        others = texts[found.values.isna()]
        warning = (
            f"Column {str(values.name)!r} has values that are no numbers ({len(others):,}, such as "
            f"{others.iloc[0]!r}): taken as missing."
        )
    numbers = found.values.reindex(values.index)
    made = _kept_or_constant(numbers, found.values.dropna(), "number", reason, warning)
    return replace(made, sign=found.sign)


def _are_codes(texts: "Series[Any]") -> bool:
    """Tell whether texts are codes such as 00123: digits of one length, with leading zeros."""
    head = texts.iloc[:_EXAMINED]
    alike = head.str.len().nunique() == 1 and bool(head.str.fullmatch(r"\d{2,}").all())
    return alike and bool(head.str.startswith("0").any())


def _kept_or_constant(
    values: "Series[Any]", present: "Series[Any]", kind: str, reason: str, warning: str = ""
) -> DecidedColumn:
    """Keep a column, unless it has one value alone: then it says nothing."""
    missing = int(values.isna().sum())
    if present.nunique() <= 1 and not missing:
        value = present.iloc[0] if len(present) else ""
        note = f"Column {values.name!r} has the value {value} in every row: left out."
        return DecidedColumn(None, "", "constant", note)
    if missing:
        reason += f", {missing:,} missing"
    return DecidedColumn(values, kind, reason, warning)


def _dates(name: str, values: "Series[Any]", texts: "Series[Any]") -> DecidedColumn | None:
    """Read a column of dates; None for anything else."""
    if share_of_dates(texts.iloc[:_EXAMINED]) < _MOSTLY:
        return None
    first = written_order(texts)
    dates = read_dates(texts, first == "day")
    if (wrong := int(dates.isna().sum())) > (1 - _MOSTLY) * len(texts):
        return None
    order = f"dates, {first} first" if first else "dates"
    warning = f"Column {name!r} has values that are no dates ({wrong:,}): taken as missing."
    column = dates.reindex(values.index)
    made = _kept_or_constant(column, dates, "date", order, warning if wrong else "")
    return replace(made, day_first=first == "day")


def _as_given(values: "Series[Any]", kind: ColumnKind) -> DecidedColumn:
    """Bring a column into the form that the user asks for."""
    name, present, day_first, sign = str(values.name), values.dropna(), False, None
    reason = GIVEN
    if kind == "category":
        return DecidedColumn(category_texts(values), "category", GIVEN)
    if kind == "number":
        found = read_numbers(values)
        made, sign = found.values, found.sign
        reason += f"; {found.example}" if found.example else ""
    else:
        day_first = written_order(values) == "day"
        made = read_dates(values, day_first)
    wrong = present[made[present.index].isna()]
    if len(wrong) > 0.5 * len(present):
        raise InputError(
            f"column {name!r} as {kind}: {len(wrong):,} of its {len(present):,} values are none, "
            f"such as {str(wrong.iloc[0])!r}",
            f"a column of {kind}s",
            f"write --column {shlex.quote(f'{name}=category')}",
        )
    note = f"Column {name!r} has values that are no {kind}s ({len(wrong):,}): taken as missing."
    return DecidedColumn(made, kind, reason, note if len(wrong) else "", day_first, sign)


def category_texts(values: "Series[Any]") -> Any:
    """Write values as texts, each by itself, so that a row alone has the texts that it had.

    Whole numbers are without a point, spaces around texts are left out, missing values stay.
    """
    return values.map(_text_of, na_action="ignore").astype("str").str.strip()


def _text_of(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _without_copies(
    decided: Mapping[str, DecidedColumn], kinds: Mapping[str, ColumnKind]
) -> dict[str, DecidedColumn]:
    """Leave out columns that are equal to an earlier one."""
    import pandas

    seen: dict[tuple[str, int], list[str]] = {}
    made = dict(decided)
    for name, column in decided.items():
        if column.values is None:
            continue
        key = (column.kind, int(pandas.util.hash_pandas_object(column.values, index=False).sum()))
        twins = [one for one in seen.get(key, []) if decided[one].values.equals(column.values)]
        if twins and name not in kinds:
            note = f"Column {name!r} is equal to {twins[0]!r}: left out."
            made[name] = DecidedColumn(None, "", f"equal to {twins[0]}", note)
        else:
            seen.setdefault(key, []).append(name)
    return made


def _refuse_nested(name: str, present: "Series[Any]") -> None:
    if isinstance(present.iloc[0], (list, dict, tuple, np.ndarray)):
        raise InputError(
            f"column {name!r} has a {type(present.iloc[0]).__name__} in each row",
            "numbers, texts, dates",
            f"write --drop {shlex.quote(name)}, or give the values as columns of their own",
        )
