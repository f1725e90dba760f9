"""Tells whether quotes in a table of text enclose values, or are letters of its texts.

Takes a table and its separator. Gives yes or no. Must not know what columns mean.
"""

import csv
from collections import Counter
from itertools import islice
from pathlib import Path

from .opened import open_bytes


def quotes_are_letters(path: Path, encoding: str, skipped: int, separator: str) -> bool:
    r"""Tell whether each line of a table is a row, where quotes would join lines to fewer rows.

    So it is where a text begins with a quote that does not end there: `ham\t"Hello there`. With
    other separators than tabs, which stand in texts as well, it is so only where quotes end within
    values, and nobody would notice by the number of values.

    Args:
        path: The table.
        encoding: Of its letters.
        skipped: Lines before the table.
        separator: What stands between two values.
    """
    lines = _rows_by_lines(path, skipped, separator.encode())
    if not lines:
        return False
    of = (path, encoding, skipped, separator)
    widths = _widths_by_quotes(*of, strict=False)
    if separator == "\t":
        return widths is None or widths.total() < lines
    joined = widths is not None and widths.total() < lines and len(widths) == 1
    return joined and _widths_by_quotes(*of, strict=True) is None


def _rows_by_lines(path: Path, skipped: int, separator: bytes) -> int:
    """Count lines; 0 where they differ in separators, or each has as many quotes as end there."""
    counts, odd, lines = set(), False, 0
    with open_bytes(path) as file:
        for line in filter(bytes.strip, islice(file, skipped, None)):
            counts.add(line.count(separator))
            odd = odd or line.count(b'"') % 2 == 1
            lines += 1
            if len(counts) > 1:
                return 0
    return lines if odd and counts != {0} else 0


def _widths_by_quotes(
    path: Path, encoding: str, skipped: int, separator: str, *, strict: bool
) -> Counter[int] | None:
    """Count rows by their number of values, where these may be in quotes.

    Returns:
        None where a value is too long, or, if `strict`, a quote ends within a value or nowhere.
    """
    with open_bytes(path) as file:
        lines = (line.decode(encoding) for line in islice(file, skipped, None))
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=strict)
        try:
            return Counter(len(row) for row in reader if row)
        except csv.Error:
            return None
