"""Makes samples and labels of a table: chooses target, modality, and what each column is.

Takes a table as it was read, and what the user says. Gives samples, a target, and columns. Must
not know files or parts.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .columns import (
    GIVEN,
    DecidedColumn,
    about_column,
    category_texts,
    decide_columns,
    keep_columns,
)
from .dataset import ColumnKind, Finding, Modality
from .labels import refuse_lists
from .leaks import find_leaks
from .options import DataOptions
from .raw import RawData, objects
from .roles import group_values, time_values, with_official_column, without_group
from .target import (
    FoundTarget,
    another_target,
    check_column,
    choose_column,
    make_labels,
    make_target,
)
from .words import counted

if TYPE_CHECKING:
    from pandas import DataFrame

_COUNTED = re.compile(r"\d+([x_.-]\d+)?$")  # at the end of a name: pixel17, 1x28
_TEXT_NAMES = ("text", "sentence", "review", "comment", "content", "body", "message", "tweet")


@dataclass(frozen=True)
class FromTable:
    """Samples and target of a table.

    Attributes:
        raw: Samples that have a target, of a modality that is known.
        found: Their target.
        columns: Kinds of columns; empty for all but tables.
        groups: Group of each sample; None: there are none.
        times: Time of each sample; None: order does not matter.
        day_first: Columns of dates that were written with the day before the month.
        signs: Columns of numbers that are not written plainly -> sign, as `WrittenNumbers.sign`.
    """

    raw: RawData
    found: FoundTarget
    columns: dict[str, ColumnKind]
    groups: NDArray[Any] | None
    times: NDArray[Any] | None
    day_first: tuple[str, ...] = ()
    signs: Mapping[str, str] = field(default_factory=dict)


def from_table(raw: RawData, options: DataOptions) -> FromTable:
    """Decide what a table holds.

    Raises:
        InputError: A column that the user names is not there, or does not fit.
    """
    _check_names(options, [str(name) for name in raw.samples.columns])
    raw, split = with_official_column(raw, options)
    others = [n for n in (options.group, options.time, split, raw.picture_column) if n]
    frame, found, targets, raw = _target(raw, options, others)
    rows = found.present
    features = frame.drop(columns=[*targets, *others, *options.drop])[rows].reset_index(drop=True)
    raw = _with_test_part(_noted(raw.keep(rows), options, found), raw.official)
    groups = group_values(frame, options, rows)
    raw = raw.noting(warnings=without_group(groups))
    times = time_values(frame, options, rows)
    kinds = {name: kind for name, kind in options.kinds.items() if name in features.columns}
    modality, decided = _modality(features, kinds, raw.modality or options.modality)
    columns: dict[str, ColumnKind] = {}
    if raw.pictures is not None:
        made = _named_pictures(raw, list(features.columns))
    elif modality == "table":
        made, columns = _table(raw, decided, kinds)
    elif modality == "text":
        made = _texts(raw, features, decided)
    else:
        made = (_series if modality == "series" else _pictures)(raw, features)
    why = GIVEN if options.modality else _WHY[modality] if raw.pictures is None else _NAMED
    first = Finding("modality", modality, why)
    made = replace(made, modality=modality, findings=(first, *made.findings))
    if modality == "table":
        made = made.noting(warnings=find_leaks(made.samples, columns, found.target))
    day_first = tuple(name for name in columns if decided[name].day_first)
    signs = {name: sign for name in columns if (sign := decided[name].sign) is not None}
    return FromTable(made, found, columns, groups, times, day_first, signs)


_WHY: dict[Modality, str] = {
    "table": "rows with columns",
    "text": "a column of free text",
    "series": GIVEN,
    "picture": "a column for each pixel",
}
_NAMED = "a column that names a file for each row"


def _check_names(options: DataOptions, names: list[str]) -> None:
    said = {
        "labels": options.labels,
        "drop": options.drop,
        "column": tuple(options.kinds),
        "group": (options.group,) if options.group else (),
        "time": (options.time,) if options.time else (),
    }
    for option, columns in said.items():
        for column in columns:
            behind = f"={options.kinds[column]}" if option == "column" else ""
            check_column(column, names, option, behind)
    targets = options.target or options.labels
    for role, name in (("group", options.group), ("time", options.time)):
        if name in targets:
            given = f"the {role} column {name!r}, which is the target as well"
            raise InputError(given, "two different columns", f"leave --{role} out")
    if dropped := [name for name in targets if name in options.drop]:
        given = f"the target {dropped[0]!r}, which is left out as well"
        todo = f"leave {shlex.quote(dropped[0])} out of --drop"
        raise InputError(given, "a target that is kept", todo)


def _target(
    raw: RawData, options: DataOptions, others: list[str]
) -> tuple["DataFrame", FoundTarget, list[str], RawData]:
    frame = raw.samples
    named = tuple(name for name in raw.targets if name not in options.drop)
    several = options.labels or (named if len(named) > 1 else ())
    if several and not options.target:
        return frame, make_labels(frame, several), list(several), raw
    usable = frame.drop(columns=list(options.drop))
    if named and not options.target:
        name, reason = named[0], "named by the source"
    else:
        name, reason = choose_column(usable, options.target_column, others, raw.named)
    refuse_lists(name, frame[name])
    labels, note = _without_dots(frame[name], raw.official)
    raw = raw.noting(Finding("target", name, reason), *note)
    free = [one for one in map(str, usable.columns) if one not in (name, *others)]
    found = make_target(name, labels, options.kinds.get(name), otherwise=another_target(free))
    return frame, found, [name], raw


def _without_dots(labels: Any, official: NDArray[np.str_]) -> tuple[Any, list[Finding]]:
    """Take the dots from labels of a test part that has them where the training part has none."""
    if labels.dtype.kind in "iufbM":
        return labels, []
    texts = category_texts(labels)
    test = official == "test"
    known, seen = set(texts[~test].dropna()), set(texts[test].dropna())
    bare = {text.removesuffix(".") for text in seen}
    if not seen or seen <= known or not bare <= known:
        return texts, []
    note = Finding(
        "labels of the test part", "without the dot at their end", "as in the training part"
    )
    return texts.where(~test, texts.str.removesuffix(".")), [note]


def _with_test_part(raw: RawData, official: NDArray[np.str_]) -> RawData:
    """Say that a test part without targets is of no use."""
    if "test" not in official or "test" in raw.official:
        return raw
    note = "The test part has no targets: instead, a part of the rest is the test part."
    return replace(raw, official=np.full_like(raw.official, "")).noting(warnings=[note])


def _noted(raw: RawData, options: DataOptions, found: FoundTarget) -> RawData:
    left_out = [Finding(about_column(name), "left out", GIVEN) for name in options.drop]
    roles = {"group": options.group, "time": options.time}
    uses = [
        Finding(about_column(name), f"{role}, no feature", GIVEN)
        for role, name in roles.items()
        if name
    ]
    return raw.noting(*found.findings, *left_out, *uses, warnings=found.warnings)


def _modality(
    features: "DataFrame", kinds: Mapping[str, ColumnKind], given: Modality | None
) -> tuple[Modality, dict[str, DecidedColumn]]:
    """Tell what a table holds, and what its columns are.

    It is one of texts where all beside them is left out, or where their column is named so.
    """
    if given in ("series", "picture"):
        return given, {}
    if given is None and _side_of_pixels(features) is not None:
        return "picture", {}
    decided = decide_columns(features, kinds)
    if given is not None:
        return given, decided
    if not any(column.kind == "text" for column in decided.values()):
        return "table", decided
    rest = [column for column in decided.values() if column.values is not None]
    named = any(n.lower() in _TEXT_NAMES for n, one in decided.items() if one.kind == "text")
    return ("text" if not rest or named else "table"), decided


def _table(
    raw: RawData, decided: Mapping[str, DecidedColumn], kinds: Mapping[str, ColumnKind]
) -> tuple[RawData, dict[str, ColumnKind]]:
    frame, columns, findings, warnings = keep_columns(decided, kinds)
    texts = [name for name, column in decided.items() if column.kind == "text"]
    if texts:
        todo = "write --modality text to learn from it alone"
        warnings = (*warnings, f"Column {texts[0]!r} has free text, which is left out: {todo}.")
    if empty := int(frame.isna().all(axis=1).sum()):
        warnings = (
            *warnings,
            f"{counted(empty, 'row')} without a value in any column that is kept.",
        )
    return replace(raw, samples=frame).noting(*findings, warnings=warnings), columns


def _texts(raw: RawData, features: "DataFrame", decided: Mapping[str, DecidedColumn]) -> RawData:
    name, reason = _text_column(features, decided)
    texts = objects(features[name].map(str, na_action="ignore").fillna("").tolist())
    empty = sum(not text.strip() for text in texts.tolist())
    others = [
        Finding(about_column(one), "left out", "beside the text") for one in decided if one != name
    ]
    warnings = [f"{counted(empty, 'text')} without a word: empty."] if empty else []
    raw = replace(raw, samples=texts)
    return raw.noting(Finding("text", about_column(name), reason), *others, warnings=warnings)


def _text_column(features: "DataFrame", decided: Mapping[str, DecidedColumn]) -> tuple[str, str]:
    known = [name for name in decided if name.lower() in _TEXT_NAMES]
    if known:
        return known[0], "its name"
    texts = [n for n in decided if features[n].dtype.kind not in "iufbM"]
    if not texts:
        given = f"no column of texts: {', '.join(list(decided)[:10])}"
        raise InputError(given, "a column of texts", "write --modality table")
    longest = max(texts, key=lambda n: features[n].astype("str").str.len().mean())
    return longest, "the longest texts"


def _numbers(features: "DataFrame", modality: str) -> NDArray[np.float64]:
    texts = [str(name) for name in features.columns if features[name].dtype.kind not in "iufb"]
    if texts:
        given = f"columns of texts in {modality}: {', '.join(texts[:5])}"
        raise InputError(
            given, "numbers alone", f"write --drop {shlex.quote(texts[0])}, or --modality table"
        )
    return np.ascontiguousarray(features.to_numpy(np.float64))


def _series(raw: RawData, features: "DataFrame") -> RawData:
    """Take the columns of a row as the steps of a series of one channel."""
    values = _numbers(features, "series").astype(np.float32)
    raw = replace(raw, samples=objects([*values[:, None, :]]))
    note = Finding("steps", f"{values.shape[1]} columns", "one channel, a step in each column")
    return raw.noting(note)


def _side_of_pixels(features: "DataFrame") -> int | None:
    """Return the side of square pictures whose pixels are the columns; None for anything else."""
    side = round(len(features.columns) ** 0.5)
    if side < 8 or side * side != len(features.columns):
        return None
    if any(features[name].dtype.kind not in "iu" for name in features.columns):
        return None
    if len({_COUNTED.sub("", str(name)) for name in features.columns}) > 1:
        return None
    low, high = int(features.to_numpy().min()), int(features.to_numpy().max())
    return side if low >= 0 and 15 < high <= 255 else None


def _pictures(raw: RawData, features: "DataFrame") -> RawData:
    """Take the columns of a row as the pixels of a square picture, grey."""
    values = _numbers(features, "pictures")
    side = _side_of_pixels(features)
    if side is None:
        given = f"pictures of {values.shape[1]} columns"
        allowed = "as many columns as a square has pixels, whole numbers from 0 to 255"
        raise InputError(given, allowed, "write --modality table")
    raw = replace(raw, samples=values.astype(np.uint8).reshape(-1, side, side, 1))
    return raw.noting(Finding("pictures", f"{side} x {side}, grey", "a column for each pixel"))


def _named_pictures(raw: RawData, others: list[str]) -> RawData:
    """Take the pictures that a column named, without the columns beside them."""
    notes = [Finding(about_column(name), "left out", "beside the picture") for name in others]
    return replace(raw, samples=raw.pictures, pictures=None).noting(*notes)
