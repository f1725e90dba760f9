"""Finds names for the columns of a table without any: in a .names file of the UCI repository.

Takes the path of a table and its number of columns. Gives names, or none. Must not know the table.
"""

import re
from collections.abc import Callable
from pathlib import Path

from .opened import plain_stem, read_text

_CONTINUOUS = re.compile(r"^([A-Za-z][^:|]*):\s*(continuous|ignore|[^,]+(,[^,]+)+)\s*\.?\s*$")
_NUMBERED = re.compile(r"^\s*(\d+)[.)]\s+(\S.*?)\s*$")
_ATTRIBUTE = re.compile(r"^\s*att?r?ibute\s+(\d+)\s*:?\s*(.*)$", re.IGNORECASE)
_DESCRIPTION = re.compile(r"\s{2,}.*$|\s*\([^)]*\)\s*$|\s*[:;].*$|\.$")
_IDENTIFIER = re.compile(r"\bid\b|\bidentif|\bcode number\b|\bnumber\s*$", re.IGNORECASE)
_PARTS = re.compile(r"[-_. ]?(train|test|training|testing)$", re.IGNORECASE)


def names_beside(path: Path, width: int) -> tuple[tuple[str, ...], str] | None:
    """Find the names of the columns of a table in a .names file beside it.

    Args:
        path: The table.
        width: Its number of columns.

    Returns:
        A name for each column, and the name of the file; None where there is no such file, or none
        of its lists has as many names.
    """
    stems = dict.fromkeys((plain_stem(path), _PARTS.sub("", plain_stem(path))))
    for stem in stems:
        file = path.with_name(f"{stem}.names")
        if file.is_file():
            text, _ = read_text(file)
            for find in _LISTS:
                if names := _fitting(find(text.splitlines()), width):
                    return names, file.name
    return None


def _fitting(lines: list[str], width: int) -> tuple[str, ...] | None:
    """Return as many names as there are columns; a class or an identifier may be one apart."""
    names = [_DESCRIPTION.sub("", line).strip(" .:") for line in lines]
    if len(names) == width - 1:
        names = [*names, "class"]
    elif len(names) == width + 1 and _IDENTIFIER.search(lines[0]):
        names = names[1:]  # the table is published without it as well
    fits = len(names) == width and all(names) and len(set(names)) == width
    return tuple(names) if fits else None


def _continuous(lines: list[str]) -> list[str]:
    """List names as C4.5 has them: `age: continuous.`, `sex: Female, Male.`"""
    found = (_CONTINUOUS.match(line) for line in lines)
    return [match[1] for match in found if match]


def _attributes(lines: list[str]) -> list[str]:
    """List names that stand under headings `Attribute 1:`."""
    headings = [(i, int(m[1])) for i, line in enumerate(lines) if (m := _ATTRIBUTE.match(line))]
    below = [_text_below(lines, i) for i, _ in headings]
    return below if [n for _, n in headings] == list(range(1, len(headings) + 1)) else []


def _text_below(lines: list[str], place: int) -> str:
    return next((line.strip() for line in lines[place + 1 :] if line.strip()), "")


def _numbered(lines: list[str]) -> list[str]:
    """List the names of the longest list whose lines count 1., 2., 3., one after the other."""
    best: list[str] = []
    current: list[str] = []
    for line in lines:
        match = _NUMBERED.match(line)
        if match and int(match[1]) == len(current) + 1:
            current.append(match[2])
        elif match and int(match[1]) == 1:
            current = [match[2]]
        elif not match and not line.startswith(" "):  # sections are counted as well, further apart
            current = []
        best = max(best, current, key=len)
    return list(best)


_LISTS: tuple[Callable[[list[str]], list[str]], ...] = (_continuous, _attributes, _numbered)
