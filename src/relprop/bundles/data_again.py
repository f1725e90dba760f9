"""Reads the data of a bundle again, or other data of its kind.

Takes what a bundle knows of how its data was read. Gives options, and a data set. Must not know
formats.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.options import DataOptions
from ..data.read import read_dataset
from ..data.sources.pictures import NAMES_OF_PICTURES
from ..support.progress import QUIET, Progress
from .content import BundleContent

_NUMBERED = re.compile(r"column (\d+)")  # of arrays, and of tables without names of columns
_OF_ALL = ("target", "labels", "modality", "drop", "kinds", "resize")  # what is no matter of parts


def target_column(content: BundleContent) -> str | None:
    """Return the column of a table that a bundle predicts; None for anything else."""
    found = (one.value for one in content.findings if one.what == "target")
    return None if content.task == "labels" else next(found, None)


def column_of_texts(content: BundleContent) -> str | None:
    """Return the column of a table whose texts a bundle was fitted to; None for anything else."""
    found = (one.value for one in content.findings if one.what == "text")
    named = next((value for value in found if value.startswith("column ")), None)
    numbered = named is not None and _NUMBERED.fullmatch(named)
    return named if named is None or numbered else named.removeprefix("column ")


def names_pictures(content: BundleContent) -> bool:
    """Tell whether a bundle was fitted to pictures that a table names."""
    return any(one.what == NAMES_OF_PICTURES for one in content.findings)


def is_source(content: BundleContent, path: Path) -> bool:
    """Tell whether a path is that of the data that a bundle was fitted to."""
    return path.resolve() == Path(content.source).resolve()


def array_width(content: BundleContent) -> int | None:
    """Return how many columns the array had that a bundle was fitted to, without the target.

    Returns:
        Their number; None where columns have names, or the target stands before one of them.
    """
    if not content.columns or not all(map(_NUMBERED.fullmatch, content.columns)):
        return None
    known = {*content.columns, *(one.what for one in content.findings)}
    width = max(int(found[1]) for found in map(_NUMBERED.fullmatch, known) if found)
    target = _NUMBERED.fullmatch(target_column(content) or "")
    return None if target and int(target[1]) < width else width


def options_for_others(content: BundleContent, target: str | None = None) -> DataOptions:
    """Return how other data of the same kind is read.

    Args:
        content: What is known of the bundle.
        target: Column of the labels; None: that which the bundle was fitted to.
    """
    said = {name: value for name, value in content.options.items() if name in _OF_ALL}
    if names_pictures(content) and not (said.get("target") or said.get("labels")):
        target = target or target_column(content)
    return DataOptions(**said if target is None else {**said, "target": target})


def read_again(
    content: BundleContent, source: Any, target: str | None = None, progress: Progress = QUIET
) -> Dataset:
    """Read the data that a bundle was fitted to, with its parts, or other data of the same kind.

    Args:
        content: What is known of the bundle.
        source: The path. Where it is that of the bundle, the data is read as it was then.
        target: Column of the labels, of other data; None: as of the bundle.
        progress: Shows the reading of many files.

    Raises:
        RelpropError: It cannot be read, or is of another modality.
    """
    options = options_for_others(content, target)
    is_path = isinstance(source, (str, Path))
    if is_path and is_source(content, Path(source)) and target is None:
        options = replace(DataOptions(**content.options), seed=content.seed)
    return read_dataset(source, options, expected=content.modality, progress=progress)
