"""Finds out how a table of text is laid out: separator, names of columns, comments.

Takes the path of a file. Gives a record that says how to read it, and why. Must not know what the
columns mean.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from ...errors import FileError, first_line
from ..words import counted
from .opened import encoding_of, open_bytes
from .quotes import quotes_are_letters

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", " ": "spaces"}
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
_COMMENTS = ("#", "%", "|", "//")
_MOST = 0.9  # of the rows, which have the same number of values by the right separator
_LONGEST = 2**31 - 1  # letters of a value: texts may be longer than csv's 131,072
_EXAMINED = 2000  # rows, to tell names of columns from values
_SPACED = re.compile(r'"[^"]*"|\S+')
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
        quoted: Whether quotes enclose values; else they are letters of texts.
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
    quoted: bool


@dataclass(frozen=True)
class _Start:
    """The first lines of a table, how they are separated, and what stands before them."""

    lines: list[str]
    separator: str
    encoding: str
    skipped: int
    comment: str  # the last one before the table
    quoted: bool  # whether quotes enclose values

    def rows_of(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each row's last line, and its values."""
        return _rows_of(lines, self.separator, self.quoted)


def find_layout(path: Path, *, spaced: bool = True) -> Layout:
    """Find out how a table is laid out.

    Args:
        path: The table.
        spaced: Whether spaces may stand between values; else they are in texts of one column.

    Raises:
        FileError: It is missing, empty, damaged, no text, or has rows of different lengths.
    """
    try:
        start = _start(path, spaced)
        rows = [row for _, row in start.rows_of(start.lines)]
        width = len(rows[0])
        total = _check_lengths(path, start, width)
    except csv.Error as error:
        given = f"{path} cannot be read as a table: {first_line(error)}"
        todo = "save it again as CSV, with line feeds at the ends of lines"
        raise FileError(given, "rows of text, each in a line", todo) from error
    rows = [row for row in rows if len(row) == width]  # the last may be cut within quotes
    header, reason = _header(rows)
    samples, skipped = (rows[1:] if header else rows), start.skipped
    if header:
        total -= 1
    elif names := _names_in(start, width):
        header, reason = names, "the comment before the table names its columns"
        skipped -= 1
    return Layout(
        separator=start.separator,
        encoding=start.encoding,
        skipped=skipped,
        header=header,
        width=width,
        rows=total,
        decimal="," if start.separator != "," and _is_decimal_comma(samples) else ".",
        codes=tuple(i for i, column in _columns(samples) if _holds_codes(column)),
        reason=reason,
        quoted=start.quoted,
    )


def _start(path: Path, spaced: bool) -> _Start:
    encoding = encoding_of(path)
    lines = [] if encoding == "utf-16" else _first_lines(path, encoding)
    if encoding == "utf-16" or any("\0" in line for line in lines):
        given = f"{path} is no text in UTF-8 or Latin-1"
        raise FileError(given, "a table of text, or a .parquet file", "save it as CSV in UTF-8")
    skipped = _comments_before(lines)
    table = [line for line in lines[skipped:] if line.strip()]
    if not table:
        raise FileError(f"{path} holds no rows", "a table with a row at least", "give another file")
    comment = lines[skipped - 1].lstrip("#%|/ ") if skipped else ""
    separator = _separator(table, spaced)
    letters = separator != " " and quotes_are_letters(path, encoding, skipped, separator)
    return _Start(table, separator, encoding, skipped, comment, not letters)


def _names_in(start: _Start, width: int) -> tuple[str, ...] | None:
    """Take names of columns from the comment before a table, if it has as many."""
    names = next((row for _, row in start.rows_of([start.comment])), [])
    fits = len(names) == width > 1 and not any(map(_is_number, names))
    return unique_names(names) if fits else None


def _rows_of(
    lines: Iterable[str], separator: str, quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row's last line, and its values without spaces around them."""
    if separator == " ":
        for number, line in enumerate(lines, 1):
            yield number, [value.strip('"') for value in _SPACED.findall(line)]
        return
    # in quotes, a row may go over several lines
    reader = csv.reader(
        lines,
        delimiter=separator,
        skipinitialspace=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    usual = csv.field_size_limit(_LONGEST)  # of the whole process
    try:
        for row in reader:
            yield reader.line_num, [value.strip() for value in row]
    finally:
        csv.field_size_limit(usual)


def _first_lines(path: Path, encoding: str) -> list[str]:
    with open_bytes(path) as file:
        lines = [line.decode(encoding) for line in islice(file, _EXAMINED)]
    return [line.rstrip("\r\n") for line in lines]


def _comments_before(lines: list[str]) -> int:
    """Count comments and empty lines before the table; a header may begin with # as well."""
    before = 0
    for line in lines:
        if line.strip() and not line.lstrip().startswith(_COMMENTS):
            break
        before += 1
    return before


def _separator(lines: list[str], spaced: bool) -> str:
    """Choose the separator by which most lines have the same number of values, and several."""
    found = {one: _width(lines, one) for one in SEPARATORS}
    if not spaced:
        found[" "] = (0.0, 1)
    spaces = found.pop(" ")  # a space may be in any text: only where nothing else fits
    best = max(found, key=lambda one: found[one])
    share, width = found[best]
    aligned = best == "\t" and spaces[0] == 1 and spaces[1] >= 2 * width
    return " " if aligned or (share <= _MOST and spaces[0] > share) else best


def _width(lines: list[str], separator: str) -> tuple[float, int]:
    """Return the share of rows that have the most frequent number of values, and that number."""
    found = [len(row) for _, row in _rows_of(lines, separator)]
    widths = Counter(found[:-1] if len(found) > 2 else found)  # the last may end within quotes
    width, rows = max(widths.items(), key=lambda item: (item[1], item[0]))
    return (rows / widths.total(), width) if width > 1 else (0.0, 1)


def _check_lengths(path: Path, layout: "_Start", width: int) -> int:
    """Compare the lengths of all rows, as pandas fills short ones in silence. Returns how many."""
    total = before = 0
    with open_bytes(path) as file:
        lines = (line.decode(layout.encoding) for line in islice(file, layout.skipped, None))
        for number, row in layout.rows_of(lines):
            total += bool(row)
            if len(row) != width and any(row):
                line, last = layout.skipped + before + 1, layout.skipped + number
                lines_of = f"line {line}" if line == last else f"the row in lines {line} to {last}"
                raise FileError(
                    f"{lines_of} of {path} has {counted(len(row), 'value')}, the first row "
                    f"{width}, separated by {SEPARATORS[layout.separator]}",
                    "as many values in each row, in quotes where they contain the separator",
                    f"correct line {line}" + ("" if line == last else ": does a quote end there?"),
                )
            before = number
    return total


def _columns(rows: list[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for i, column in enumerate(zip(*rows, strict=True)):
        yield i, [value for value in column if value not in MISSING]


def _header(rows: list[list[str]]) -> tuple[tuple[str, ...] | None, str]:
    """Tell whether the first row has names of columns, and why."""
    first, rest = rows[0], rows[1:]
    if first[0] in ("", "0") and first[1:] and _counts(first[1:]):
        return unique_names(first), "the first row counts the columns"
    if rest and (_counts(first) or _names_count(first, rest)):
        return unique_names(first), "the first row counts the columns"
    if numbers := [value for value in first if _is_number(value) or value == "?"]:
        return None, f"the first row is a sample: it has the value {numbers[0]}"
    if any(column and all(map(_is_number, column)) for _, column in _columns(rest)):
        return unique_names(first), "the first row has no numbers, the others have"
    repeated = [first[i] for i, column in _columns(rest) if first[i] in column]
    if repeated or len(set(first)) < len(first):
        again = repeated[0] if repeated else "the same value twice"
        return None, f"the first row is a sample: {again} is in other rows, too"
    return unique_names(first), "no value of the first row is in other rows"


def _names_count(first: list[str], rest: list[list[str]]) -> bool:
    """Tell whether the first row counts some columns, from any number, and names the others.

    So write tables of pixels with their label, and of years: 0,1,2,label or country,2019,2020,2021.
    """
    counted = [value for value in first if _is_number(value)]
    named = {i for i, value in enumerate(first) if not _is_number(value)}
    start = int(counted[0]) if counted and counted[0].isdigit() else 0
    if len(counted) < 3 or counted != [str(start + i) for i in range(len(counted))]:
        return False
    return bool(named) and not any(
        first[i] == "?" or first[i] in column for i, column in _columns(rest) if i in named
    )


def _counts(values: list[str]) -> bool:
    """Tell whether values are 0, 1, 2, ... or 1, 2, 3, ..., three at least."""
    counted = [[str(i + start) for i in range(len(values))] for start in (0, 1)]
    return len(values) > 2 and values in counted


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give a name to columns that have none, and number names that occur twice."""
    named = [name or f"unnamed {i + 1}" for i, name in enumerate(names)]
    made: dict[str, None] = {}
    for name in named:
        numbered = (f"{name} ({k})" for k in count(2))
        made[name if name not in made else next(n for n in numbered if n not in made)] = None
    return tuple(made)


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
