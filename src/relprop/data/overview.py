"""Writes what was found out about a data set as one table, and the warnings.

Takes a Dataset. Gives text. Must not know how anything was found out.
"""

import textwrap

from .dataset import Dataset, Finding

_HEADINGS = ("WHAT", "VALUE", "REASON")
_WIDTHS = (26, 44, 48)  # letters of a column, at most
_MANY = 12  # columns of a kind with a reason of their own, from which they share a line


def overview(dataset: Dataset) -> str:
    """Write what was found out about a data set: a table, then the warnings.

    Args:
        dataset: A data set.

    Returns:
        Lines with the columns WHAT, VALUE and REASON, then a line for each warning.

    Example:
        >>> from relprop.data.overview import overview
        >>> print(overview(dataset))  # doctest: +SKIP
        WHAT      VALUE           REASON
        modality  table           rows with columns
        target    income          its name
    """
    rows = [(f.what, f.value, f.reason) for f in _together(dataset.findings)]
    cells = [[textwrap.wrap(t, w) or [""] for t, w in zip(r, _WIDTHS, strict=True)] for r in rows]
    widths = [
        max(len(heading), *(len(line) for row in cells for line in row[i]))
        for i, heading in enumerate(_HEADINGS)
    ]
    lines = [_line(_HEADINGS, widths)]
    for row in cells:
        height = max(map(len, row))
        padded = [[*cell, *[""] * (height - len(cell))] for cell in row]
        lines += [_line(parts, widths) for parts in zip(*padded, strict=True)]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in dataset.warnings)])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def _together(findings: tuple[Finding, ...]) -> list[Finding]:
    """Let many columns of one kind share a line."""
    kinds: dict[str, list[Finding]] = {}
    for one in findings:
        if one.what.startswith("column "):
            kinds.setdefault(one.value, []).append(one)
    many = {kind: found for kind, found in kinds.items() if len(found) > _MANY}
    made, written = [], set()
    for one in findings:
        if not one.what.startswith("column ") or one.value not in many:
            made.append(one)
        elif one.value not in written:
            written.add(one.value)
            made.append(_shared_line(one.value, many[one.value]))
    return made


def _shared_line(kind: str, found: list[Finding]) -> Finding:
    names = [one.what.removeprefix("column ") for one in found]
    reasons = sorted({one.reason for one in found})
    why = f": {reasons[0]}" if len(reasons) == 1 else ""
    return Finding(f"{len(names)} columns", kind, f"{names[0]} ... {names[-1]}{why}")
