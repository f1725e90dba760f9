"""Reads data sets of the library `datasets`: by name, from a folder of `save_to_disk`, in memory.

Takes a name or a path. Gives samples with labels and official parts; the types of its columns say
what they are. Must not know targets.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FileError, InputError, first_line
from ...support.arguments import suggest
from ...support.extras import needs
from ..columns import GIVEN
from ..dataset import Finding
from ..memory import Limit
from ..options import DataOptions
from ..raw import PARTS, RawData, objects, parts_of
from .array_meaning import ArrayPart, raw_of_arrays

PREFIX = "datasets:"
_PARTS = {**PARTS, "": ""}


def is_saved_dataset(folder: Path) -> bool:
    """Tell whether a folder is one of `save_to_disk`."""
    names = {path.name for path in folder.iterdir()}
    return "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= names


def read_hub(source: str, options: DataOptions, limit: Limit) -> RawData:
    """Read a data set.

    Args:
        source: "datasets:NAME" or "datasets:NAME:CONFIGURATION" of the hub, or a folder of
            `save_to_disk`.
        options: The column of the target, where the types of columns do not say it.
        limit: How much memory samples may take.

    Raises:
        FileError: There is no such data set, or no network.
    """
    with needs("fit", "data sets of the library datasets"):
        import datasets

    datasets.disable_progress_bars()
    try:
        if source.startswith(PREFIX):
            name, _, configuration = source.removeprefix(PREFIX).partition(":")
            found = datasets.load_dataset(name, configuration or None)
        else:
            found = datasets.load_from_disk(source)
    except Exception as error:  # it raises those of many libraries
        given = f"{source} cannot be read: {first_line(error)}"
        allowed = f"{PREFIX}NAME of the Hugging Face hub, or a folder of save_to_disk"
        raise FileError(given, allowed, "check the name and the connection") from error
    sets = dict(found) if isinstance(found, dict) else {"": found}
    fitting, notes = _limited(sets, limit, source)
    return raw_of_datasets(fitting, options, source).noting(warnings=notes)


def _limited(sets: dict[str, Any], limit: Limit, source: str) -> tuple[dict[str, Any], list[str]]:
    """Take rows that fit into memory, judged by what the files hold, and say so."""
    size = sum(int(one.data.nbytes) for one in sets.values())
    made, notes = {}, []
    for name, one in sets.items():
        rows, note = limit.choose(len(one), size, f"{name} rows".strip(), source)
        made[name] = one if rows is None else one.select(rows)
        notes += note
    return made, notes


def raw_of_datasets(sets: Mapping[str, Any], options: DataOptions, source: str) -> RawData:
    """Take data sets of the library, one for each part.

    Raises:
        InputError: They have no column that can be the target, or none of samples.
    """
    known = {name: one for name, one in sets.items() if name in _PARTS} or dict(
        list(sets.items())[:1]
    )
    left = [name for name in sets if name not in known]
    warnings = [f"The part {name!r} is not used." for name in left]
    features = next(iter(known.values())).features
    pictures = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
    arrays = [name for name, kind in features.items() if _is_nested(kind)]
    if pictures or (arrays and options.modality != "table"):
        raw = _arrays(known, (pictures or arrays)[0], bool(pictures), options, source)
    else:
        raw = _frame(known, features, options)
    return raw.noting(warnings=warnings)


def _is_nested(kind: Any) -> bool:
    name = type(kind).__name__
    return name.startswith("Array") or name in ("Sequence", "List", "LargeList")


def _part(name: str, sets: Mapping[str, Any]) -> str:
    return _PARTS.get(name, "") if len(sets) > 1 else ""


def _arrays(
    sets: Mapping[str, Any], column: str, pictures: bool, options: DataOptions, source: str
) -> RawData:
    """Take pictures or series of one column."""
    features = next(iter(sets.values())).features
    target = _target(features, options, column, source)
    parts = []
    for name, one in sets.items():
        samples = [np.asarray(value) for value in one[column]]
        alike = len({sample.shape for sample in samples}) == 1
        if pictures and not alike:
            given = f"{source} has pictures of several sizes"
            todo = "save them to a folder for each class: there they are resized"
            raise InputError(given, "pictures of one size", todo)
        labels = np.asarray(one[target])
        parts.append(ArrayPart(_part(name, sets), np.stack(samples) if alike else samples, labels))
    modality = "picture" if pictures else options.modality
    raw = raw_of_arrays(parts, modality, source)
    names = tuple(getattr(features[target], "names", ()))
    raw = raw.noting(Finding("target", target, GIVEN if options.target else "its type or name"))
    if raw.labels is not None:
        return replace(raw, classes=names, targets=(target,))
    (column,) = raw.targets  # rows of a table, of which the label is a column
    frame = raw.samples.rename(columns={column: target})
    if names:
        frame[target] = objects([names[number] for number in frame[target].tolist()])
    return replace(raw, samples=frame, targets=(target,))


def _target(features: Any, options: DataOptions, column: str, source: str) -> str:
    names = [name for name in features if name != column]
    if (given := options.target_column) is not None:
        if given not in names:
            todo = suggest(given, names).replace('"', "").replace("write ", "write --target ")
            raise InputError(f"{source} has no column {given!r}", ", ".join(names), todo)
        return given
    labels = [name for name in names if type(features[name]).__name__ == "ClassLabel"]
    labels += [
        name for name in names if name.lower() in ("label", "labels", "target", "y", "class")
    ]
    if not labels:
        given = f"{source} has the columns {', '.join(features)}, of which none is a label"
        raise InputError(
            given, "a column of type ClassLabel, or named label", "write --target NAME"
        )
    return str(labels[0])


def _frame(sets: Mapping[str, Any], features: Any, options: DataOptions) -> RawData:
    """Take a table, or texts in one of its columns; numbers of classes become their names."""
    import pandas

    frames = [one.to_pandas() for one in sets.values()]
    frame = pandas.concat(frames, ignore_index=True)
    for name, kind in features.items():
        if type(kind).__name__ == "ClassLabel":
            numbers = frame[name]
            named = dict(enumerate(kind.names))
            frame[name] = objects([named.get(number) for number in numbers.tolist()])
    classes = [name for name, kind in features.items() if type(kind).__name__ == "ClassLabel"]
    parts = [(_part(name, sets), len(one)) for name, one in sets.items()]
    return RawData(
        modality=None,
        samples=frame,
        keys=[f"{name} row {i + 1}".strip() for name, size in parts for i in range(size)],
        labels=None,
        official=parts_of(*parts),
        targets=tuple(classes[:1]) if not options.target else (),
        findings=(Finding("table", f"{len(frame):,} rows", "a data set of the library datasets"),),
    )
