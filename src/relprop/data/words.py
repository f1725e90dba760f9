"""Writes numbers with their nouns, and lists that are cut short.

Takes numbers and names. Gives text. Must not know what they are of.
"""

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun, as in "1 sample" and "1,200 samples"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[object], most: int = 5) -> str:
    """List names with commas between them, the first ones where there are many."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
