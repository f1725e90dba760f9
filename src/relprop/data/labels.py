"""Reads labels that are not what they seem: numbers among texts, lists.

Takes a column. Gives labels, or an error. Must not know classes or features.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .columns import category_texts
from .dataset import ColumnKind
from .numbers import read_numbers

if TYPE_CHECKING:
    from pandas import Series

FEW_NUMBERS = 20  # different whole numbers that are taken for classes
_MOSTLY = 0.95  # of the labels, which must be numbers to make a value
_HALF = 0.5  # of the labels, where the user says that they are numbers
_YES = {"1": 1.0, "true": 1.0, "yes": 1.0, "y": 1.0, "t": 1.0}
_NO = {"0": 0.0, "false": 0.0, "no": 0.0, "n": 0.0, "f": 0.0}


def refuse_lists(name: str, labels: "Series[Any]") -> None:
    """Raise InputError for labels that are lists: as texts, each list would be a class."""
    first = next(iter(labels.dropna().iloc[:1]), None)
    if isinstance(first, (list, dict, tuple, np.ndarray)):
        given = f"the target {name!r} has a {type(first).__name__} in each row"
        allowed = "a class or a number in each row; of several labels a column of 0 and 1 each"
        raise InputError(given, allowed, "make a column of each label, write --labels NAME,NAME")


def without_empty(labels: "Series[Any]") -> "Series[Any]":
    """Take a label that is an empty text for a missing one."""
    if labels.dtype.kind in "iufbMm":
        return labels
    return labels.where(labels.astype("str").str.strip() != "")


def numbers_of_texts(
    name: str, labels: "Series[Any]", kind: ColumnKind | None
) -> tuple["Series[Any]", list[str]]:
    """Read a target of numbers among which are a few texts: these samples have no label.

    Numbers may be written as $1,234.50. Whole numbers of which there are few stay texts, since
    "unknown" may be a class beside them.

    Args:
        name: What the target is called.
        labels: As they were read.
        kind: "number" where the user says that it is one; None: nearly all must be numbers.

    Returns:
        Numbers with the notes to show, or the labels as they are.
    """
    if labels.dtype.kind in "iufbMm" or kind == "category":
        return labels, []
    present = labels.dropna()
    read = read_numbers(present.astype("str"))
    numbers, found = read.values, read.values.dropna()
    values = found.nunique() > FEW_NUMBERS or bool((found % 1 != 0).any())
    share = len(found) / max(len(present), 1)
    if not (share > _HALF if kind == "number" else values and share >= _MOSTLY):
        return labels, []
    notes = [f"{name!r} has labels that are read as numbers: {read.example}."] * bool(read.example)
    if len(wrong := present[numbers.isna()]):
        such = f"({len(wrong):,}, such as {wrong.iloc[0]!r})"
        notes.append(f"{name!r} has labels that are no numbers {such}.")
    return numbers.reindex(labels.index), notes


def yes_or_no(values: "Series[Any]") -> NDArray[np.float64]:
    """Read a label that a sample has or not, as 1 and 0; NaN where it is missing.

    Raises:
        InputError: A value is neither.
    """
    texts = category_texts(values).str.lower()
    minus = {"-1": 0.0} if set(texts.dropna()) <= {"1", "-1"} else {}
    made = texts.map({**_YES, **_NO, **minus})
    if (wrong := values[made.isna() & values.notna()]).size:
        given = f"the label {str(values.name)!r} has the value {str(wrong.iloc[0])!r}"
        raise InputError(
            given, "0 and 1, -1 and 1, true and false, or yes and no", "choose other --labels"
        )
    return np.asarray(made, np.float64)
