"""Finds out how a table of text is laid out: separator, names of columns, comments.

Takes the path of a file. Gives a record that says how to read it, and why. Must not know what the
columns mean.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...errors import FileError
from .opened import encoding_of, open_bytes

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", " ": "spaces"}
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
_COMMENTS = ("#", "%", "|", "//")
_EXAMINED = 2000  # rows, to tell names of columns from values
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_LEADING_ZERO = re.compile(r"0\d+")


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes:
        separator: What stands between two values; " " is any number of spaces and tabs.
        encoding: Of its letters.
        skipped: Lines before the table: comments, empty lines.
        header: Names of its columns; None where the first row is a sample.
        width: Number of columns.
        rows: Number of samples.
        decimal: What stands before the fraction of a number: "." or ",".
        codes: Places of columns that hold codes such as 00123, which are no numbers.
        reason: Why the first row was taken for names, or for a sample.
    """

    separator: str
    encoding: str
    skipped: int
    header: tuple[str, ...] | None
    width: int
    rows: int
    decimal: str
    codes: tuple[int, ...]
    reason: str


def find_layout(path: Path) -> Layout:
    """Find out how a table is laid out.

    Raises:
        FileError: It is missing, empty, damaged, no text, or has rows of different lengths.
    """
    encoding = encoding_of(path)
    lines = [] if encoding == "utf-16" else _first_lines(path, encoding)
    if encoding == "utf-16" or any("\0" in line for line in lines):
        given = f"{path} is no text in UTF-8 or Latin-1"
        raise FileError(given, "a table of text, or a .parquet file", "save it as CSV in UTF-8")
    skipped = _comments_before(lines)
    table = [line for line in lines[skipped:] if line.strip()]
    if not table:
        raise FileError(f"{path} holds no rows", "a table with a row at least", "give another file")
    separator = _separator(table)
    rows = [split_row(line, separator) for line in _logical(table, separator)]
    width = len(rows[0])
    total = _check_lengths(path, encoding, separator, skipped, width)
    rows = [row for row in rows if len(row) == width]  # the last may be cut within quotes
    header, reason = _header(rows)
    samples = rows[1:] if header else rows
    before = skipped
    comment = split_row(lines[skipped - 1].lstrip("#%|/ "), separator) if skipped else []
    if header is None and len(comment) == width > 1 and not any(map(_is_number, comment)):
        header, reason = _unique(comment), "the comment before the table names its columns"
        skipped -= 1
    decimal = "," if separator != "," and _is_decimal_comma(samples) else "."
    return Layout(
        separator=separator,
        encoding=encoding,
        skipped=skipped,
        header=header,
        width=width,
        rows=total - (header is not None and skipped == before),
        decimal=decimal,
        codes=tuple(i for i, column in _columns(samples) if _holds_codes(column)),
        reason=reason,
    )


def split_row(line: list[str] | str, separator: str) -> list[str]:
    """Split a line into its values, without spaces around them."""
    if isinstance(line, str):
        line = line.split() if separator == " " else next(csv.reader([line], delimiter=separator))
    return [value.strip() for value in line]


def _first_lines(path: Path, encoding: str) -> list[str]:
    with open_bytes(path) as file:
        lines = [line.decode(encoding) for line in islice(file, _EXAMINED)]
    return [line.rstrip("\r\n") for line in lines]


def _comments_before(lines: list[str]) -> int:
    """Count comments and empty lines before the table; a header may begin with # as well."""
    count = 0
    for line in lines:
        if line.strip() and not line.lstrip().startswith(_COMMENTS):
            break
        count += 1
    return count


def _separator(lines: list[str]) -> str:
    """Choose the separator by which most lines have the same number of values, and several."""
    best, found = (0.0, 0), ","
    for candidate in SEPARATORS:
        if candidate == " " and best[0] > 0.9:
            break  # a space may be in any text: only where nothing else fits
        widths = Counter(len(split_row(row, candidate)) for row in _logical(lines, candidate))
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        if width > 1 and (score := (count / widths.total(), width)) > best:
            best, found = score, candidate
    return found


def _logical(lines: list[str], separator: str) -> Iterator[list[str] | str]:
    """Yield rows; in quotes, a row may go over several lines."""
    if separator == " ":
        yield from lines
    else:
        yield from csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _check_lengths(path: Path, encoding: str, separator: str, skipped: int, width: int) -> int:
    """Compare the lengths of all rows, as pandas fills short ones in silence. Returns how many."""
    count = 0
    with open_bytes(path) as file:
        lines = (line.decode(encoding) for line in islice(file, skipped, None))
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        rows = (line.split() for line in lines) if separator == " " else reader
        for number, row in enumerate(rows, 1):
            count += bool(row)
            if row and len(row) != width and any(row):
                line = skipped + (number if separator == " " else reader.line_num)
                raise FileError(
                    f"line {line} of {path} has {len(row)} values, the first row {width}, "
                    f"separated by {SEPARATORS[separator]}",
                    "as many values in each row, in quotes where they contain the separator",
                    f"correct line {line}",
                )
    return count


def _columns(rows: list[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for i, column in enumerate(zip(*rows, strict=True)):
        yield i, [value for value in column if value not in MISSING]


def _header(rows: list[list[str]]) -> tuple[tuple[str, ...] | None, str]:
    """Tell whether the first row has names of columns, and why."""
    first, rest = rows[0], rows[1:]
    if first[0] in ("", "0") and first[1:] and _counts(first[1:]):
        return _unique(first), "the first row counts the columns"
    if _counts(first) and rest:
        return _unique(first), "the first row counts the columns"
    if numbers := [value for value in first if _is_number(value) or value == "?"]:
        return None, f"the first row is a sample: it has the value {numbers[0]}"
    if any(column and all(map(_is_number, column)) for _, column in _columns(rest)):
        return _unique(first), "the first row has no numbers, the others have"
    repeated = [first[i] for i, column in _columns(rest) if first[i] in column]
    if repeated or len(set(first)) < len(first):
        again = repeated[0] if repeated else "the same value twice"
        return None, f"the first row is a sample: {again} is in other rows, too"
    return _unique(first), "no value of the first row is in other rows"


def _counts(values: list[str]) -> bool:
    """Tell whether values are 0, 1, 2, ... or 1, 2, 3, ..., three at least."""
    counted = [[str(i + start) for i in range(len(values))] for start in (0, 1)]
    return len(values) > 2 and values in counted


def _unique(names: list[str]) -> tuple[str, ...]:
    """Give a name to columns that have none, and number names that occur twice."""
    named = [name or f"unnamed {i + 1}" for i, name in enumerate(names)]
    earlier = [named[:i].count(name) for i, name in enumerate(named)]
    return tuple(f"{n} ({k + 1})" if k else n for n, k in zip(named, earlier, strict=True))


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None or _DECIMAL_COMMA.fullmatch(value) is not None


def _is_decimal_comma(rows: list[list[str]]) -> bool:
    """Tell whether numbers are written as 3,14: some are, and none as 3.14."""
    values = [value for row in rows for value in row if _is_number(value)]
    return any("," in value for value in values) and not any("." in value for value in values)


def _holds_codes(column: list[str]) -> bool:
    """Tell whether a column has numbers that begin with 0, of one length: 00123 is no 123."""
    whole = bool(column) and all(value.isdigit() for value in column)
    return (
        whole and len({len(v) for v in column}) == 1 and any(map(_LEADING_ZERO.fullmatch, column))
    )
