"""Columns of a table that say how it is split: official parts, groups, times.

Takes a table as it was read, and what the user says. Gives the part, the group and the time of
rows. Must not know targets or features.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .columns import about_column, category_texts, decide_column
from .dataset import Finding
from .options import DataOptions
from .raw import PARTS, RawData
from .words import counted, listed

if TYPE_CHECKING:
    from pandas import DataFrame

_PART_NAMES = ("split", "partition", "set", "subset")


def with_official_column(raw: RawData, options: DataOptions) -> tuple[RawData, str | None]:
    """Take the official parts of a column that is named so and holds words such as train and test.

    It is not taken where the user says what the column is, or where it has other test rows than an
    official test part.

    Returns:
        The data with these parts, and the name of the column; as it was, and None without one.
    """
    said: set[str | None] = {
        *raw.targets,
        *(options.target or ()),
        *options.labels,
        *options.drop,
        *options.kinds,
    }
    said.update((options.group, options.time))
    for name in map(str, raw.samples.columns):
        if name.lower() in _PART_NAMES and name not in said:
            words = category_texts(raw.samples[name]).str.lower()
            parts = words.map(PARTS).fillna("").to_numpy("<U10")
            if _are_parts(parts, raw.official):
                reason = f"its name, and its values {listed(sorted(set(words)))}"
                note = Finding(about_column(name), "official parts, no feature", reason)
                return replace(raw, official=parts).noting(note), name
    return raw, None


def _are_parts(parts: NDArray[np.str_], official: NDArray[np.str_]) -> bool:
    """Tell whether there is a training part beside another, and the test part is the known one.

    Args:
        parts: Of each row; "" for another word, or none.
        official: Of each row, by its file; "" where that is not known.
    """
    if "" in parts or "train" not in parts or len(set(parts)) < 2:
        return False
    return "test" not in official or bool(((parts == "test") == (official == "test")).all())


def group_values(
    frame: "DataFrame", options: DataOptions, rows: NDArray[np.bool_]
) -> NDArray[Any] | None:
    """Return the group of some rows of a table; None where the user names no column of groups."""
    if options.group is None:
        return None
    groups = category_texts(frame[options.group])[rows]
    # a sample without a group is one of its own
    alone = groups.isna().to_numpy()
    made = groups.to_numpy(object, na_value="")
    made[alone] = [f"\0{i}" for i in np.flatnonzero(alone)]
    return np.asarray(made, str)


def without_group(groups: NDArray[Any] | None) -> list[str]:
    """Say how many samples have no group, so that each is one of its own."""
    named = [] if groups is None else groups.tolist()
    alone = sum(name.startswith("\0") for name in named)  # of numpy, "\0" is an empty text
    return [f"{counted(alone, 'row')} without a group: each is one of its own."] if alone else []


def time_values(
    frame: "DataFrame", options: DataOptions, rows: NDArray[np.bool_]
) -> NDArray[Any] | None:
    """Return the time of some rows of a table; None where the user names no column of times.

    Raises:
        InputError: A time is missing, or is no time.
    """
    if options.time is None:
        return None
    column = decide_column(frame[options.time])
    values = (
        frame[options.time].astype(float)
        if frame[options.time].dtype.kind in "iuf"
        else column.values
    )
    allowed = "a date or a number in each row"
    if values is None or values.dtype.kind not in "Mf":
        shown = next(iter(frame[options.time].dropna()), "nothing")
        given = f"the time column {options.time!r}, which holds {str(shown)[:60]!r}"
        others = listed([str(name) for name in frame.columns if name != options.time], 12)
        raise InputError(given, allowed, f"choose another --time: {others}")
    if missing := int(values[rows].isna().sum()):
        given = f"the time column {options.time!r}, which is missing in {counted(missing, 'row')}"
        raise InputError(given, allowed, "write a time in each row, or take these rows away")
    return np.asarray(values[rows].to_numpy())
