"""Reads any data set: from a path, a name or memory to samples, a target and parts.

Takes a source, and what the user says about it. Gives a Dataset. Must not know formats: readers
are in `sources`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..support.extras import needs
from ..support.progress import ProgressOption, progress_of
from .dataset import ColumnKind, Dataset, Finding, Modality
from .fingerprint import hash_samples
from .from_table import FromTable, from_table
from .memory import limit_of
from .options import DataOptions
from .raw import RawData
from .sources.find import read_source
from .sources.from_memory import describe_memory, read_memory
from .split import SplitRequest, split_samples
from .target import make_labels, make_target

_OTHER_LABELS = "give data with other labels: there are no columns to choose from"
_NAMES: dict[Modality, str] = {
    "picture": "pictures",
    "table": "tables",
    "text": "texts",
    "series": "time series",
}


def read_dataset(
    source: Any,
    options: DataOptions | None = None,
    *,
    expected: Modality | None = None,
    progress: ProgressOption = False,
) -> Dataset:
    """Read a data set, find out what it is, and make its parts.

    Args:
        source: A path: a folder of idx files or of pictures, an archive of pictures, .npz, .pt, a
            table, texts, time series; "datasets:NAME" of the Hugging Face hub; or data in memory: a
            DataFrame, a pair (samples, labels), or a dataset of torch.
        options: What is known about it; what it leaves out is inferred.
        expected: The modality that a model takes; None: any.
        progress: True shows the reading of many files on stderr.

    Returns:
        The samples with target and parts, what was inferred, and warnings.

    Raises:
        FileError: A file is missing, damaged, or of no known kind.
        InputError: The options do not fit the data, or it cannot be learnt from.
        MissingExtraError: A package that reads it is not installed.

    Example:
        >>> from relprop.data import read_dataset
        >>> dataset = read_dataset("adult-train.csv")  # doctest: +SKIP
        >>> dataset.target.names  # doctest: +SKIP
        ('<=50K', '>50K')
    """
    options = options or DataOptions()
    with needs("fit", "data sets"):
        import pandas  # noqa: F401
    limit, shown = limit_of(options.memory, options.seed), progress_of(progress)
    if isinstance(source, (str, Path)):
        raw, name = read_source(source, options, limit, shown), str(source)
    else:
        raw, name = read_memory(source, options, limit), describe_memory(source)
    if raw.labels is not None:  # before what is said of the columns of a table is refused
        _check_modality(raw.modality, expected, name)
    made = from_table(raw, options) if raw.labels is None else _from_labels(raw, options)
    _check_modality(made.raw.modality, expected, name)
    return _dataset(name, made, options)


def _check_modality(found: Modality | None, expected: Modality | None, name: str) -> None:
    """Raise InputError for samples that are not what a model takes."""
    if expected is None or found is None or found == expected:
        return
    given = f"{name} holds {_NAMES[found]}, and the model reads {_NAMES[expected]}"
    raise InputError(given, _NAMES[expected], f"give {_NAMES[expected]}, or another model")


def _from_labels(raw: RawData, options: DataOptions) -> FromTable:
    """Make the target of data whose labels are apart from its samples."""
    _refuse_options_of_tables(raw, options)
    import pandas

    name = raw.targets[0] if raw.targets else "label"
    if raw.labels is not None and raw.labels.ndim == 2:
        names = [f"label {i}" for i in range(raw.labels.shape[1])]
        found = make_labels(pandas.DataFrame(raw.labels, columns=names), names)
    else:
        kind = options.kinds.get(name)
        found = make_target(name, pandas.Series(raw.labels), kind, raw.classes, True, _OTHER_LABELS)
    kept = raw.keep(found.present)
    first = (
        ()
        if any(f.what == "modality" for f in raw.findings)
        else (Finding("modality", str(raw.modality), "by its kind of file"),)
    )
    kept = replace(kept, findings=(*first, *kept.findings, *found.findings))
    return FromTable(kept.noting(warnings=found.warnings), found, {}, None, None)


def _refuse_options_of_tables(raw: RawData, options: DataOptions) -> None:
    label = raw.targets[0] if raw.targets else "label"
    said = dict(options.columns_of_tables)
    said["kinds"] = {name: kind for name, kind in options.kinds.items() if name != label}
    said["target"] = () if raw.targets else options.target
    for option, value in said.items():
        if value:
            raise InputError(
                f"{option} is {value!r}, for data of modality {raw.modality!r} without columns",
                f"names of columns of a table; the label of this data is called {label!r}",
                f"leave {option} out",
            )
    if options.modality not in (None, raw.modality):
        given = f"modality is {options.modality!r}, and the data is of modality {raw.modality!r}"
        raise InputError(given, str(raw.modality), "leave the modality out")


def _dataset(name: str, made: FromTable, options: DataOptions) -> Dataset:
    raw, target = made.raw, made.found.target
    if options.resize is not None and raw.modality != "picture":
        given = f"resize is {options.resize!r}, for data of modality {raw.modality!r}"
        raise InputError(given, "pictures", "leave --resize out")
    if raw.modality is None:
        raise TypeError("the modality is decided before parts are made")
    split = split_samples(
        SplitRequest(
            target=target,
            hashes=hash_samples(raw.modality, raw.samples),
            official=raw.official,
            groups=made.groups,
            times=made.times,
            shares=options.split,
            seed=options.seed,
        )
    )
    columns: dict[str, ColumnKind] = made.columns
    return Dataset(
        source=name,
        modality=raw.modality,
        samples=raw.samples,
        keys=tuple(raw.keys),
        target=target,
        parts=np.asarray(split.parts, np.str_),
        columns=columns,
        findings=(*raw.findings, *split.findings),
        warnings=(*raw.warnings, *split.warnings),
        day_first=made.day_first,
        signs=made.signs,
        resize=options.resize or "crop",
    )
