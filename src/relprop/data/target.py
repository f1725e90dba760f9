"""Chooses what is to be predicted, and makes class numbers, labels or values of it.

Takes columns or labels as they were read. Gives a Target, which samples have none, and the
reasons. Must not know features.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..support.arguments import suggest
from .columns import GIVEN, category_texts
from .dataset import ColumnKind, DataTarget, Finding
from .labels import FEW_NUMBERS, numbers_of_texts, refuse_lists, without_empty, yes_or_no
from .words import listed

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_KNOWN = (
    *("target", "label", "labels", "class", "classes", "y", "outcome", "category"),
    *("diagnosis", "survived", "species", "sentiment", "churn"),
)
_NUMBER_BEHIND = re.compile(r"\d+$")
_ANOTHER = "choose another --target"
_MANY_CLASSES = 1000
_MANY_SINGLE = 20  # classes of one sample: fewer may be rare ones beside others
_UNEVEN = 20  # times the size of the smallest class


@dataclass(frozen=True)
class FoundTarget:
    """A target, and what was found out about it.

    Attributes:
        target: Of the samples that have one.
        present: Which samples have one, (n,).
        findings: What it is, and why.
        warnings: What the user should know.
    """

    target: DataTarget
    present: NDArray[np.bool_]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def choose_column(
    frame: "DataFrame", given: str | None, others: Sequence[str], named: bool
) -> tuple[str, str]:
    """Choose the column that is to be predicted.

    Args:
        frame: A table.
        given: The name that the user gave.
        others: Columns that are something else: they hold groups or times.
        named: Whether the names of columns are from the source.

    Returns:
        Its name, and the reason.

    Raises:
        InputError: There is no such column.
    """
    names = [str(name) for name in frame.columns]
    if given is not None:
        check_column(given, names, "target")
        return given, GIVEN
    free = [name for name in names if name not in others]
    if not free:
        given = "no column is left that could be the target"
        raise InputError(given, ", ".join(names), "name another --group, --time or --drop")
    known = {_letters(name): name for name in reversed(free)}
    if found := next((known[word] for word in _KNOWN if word in known), None):
        return found, "its name"
    if named and (apart := _not_numbered(free)) and _may_be_classes(frame[apart]):
        return apart, "the only name that is not numbered as the others"
    first, last = free[0], free[-1]
    if not named and not _may_be_classes(frame[last]) and _may_be_classes(frame[first]):
        return first, "the first column, which has few different values; the last has many"
    return last, "the last column"


def _not_numbered(names: Sequence[str]) -> str | None:
    """Return the only name where all others are one with numbers: 0, 1, 2 or pixel1, pixel2, ..."""
    stems = {name: _NUMBER_BEHIND.sub("", name) for name in names}
    plain = [name for name in names if stems[name] == name]
    apart = len(plain) == 1 and len(set(stems.values())) == 2 and len(names) > 3
    return plain[0] if apart else None


def check_column(name: str, names: Sequence[str], option: str, behind: str = "") -> None:
    """Raise InputError for a column that is not there; it offers the nearest name.

    Args:
        name: What the user wrote.
        names: Columns that are there.
        option: Where it was written; --drop and --labels take several names, with commas.
        behind: What stands behind the name there, as in `--column age=number`.
    """
    if name not in names:
        near = suggest(name, names)
        if near.startswith("write "):
            written = near[7:-1] + behind
            several = "," in written and option in ("drop", "labels")
            near = f"write --{option} " + shlex.quote(f'"{written}"' if several else written)
        shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
        raise InputError(f"there is no column {name!r}", shown, near)


def another_target(names: Sequence[str]) -> str:
    """Say what a user can do where nothing can be learnt from a target: name another column."""
    return f"{_ANOTHER}: {listed(names)}" if names else _ANOTHER


def make_target(
    name: str,
    labels: "Series[Any]",
    kind: ColumnKind | None,
    classes: tuple[str, ...] = (),
    whole_numbers_are_classes: bool = False,
    otherwise: str = _ANOTHER,
) -> FoundTarget:
    """Make classes or a value of labels.

    Args:
        name: What the target is called.
        labels: As they were read, (n,).
        kind: "category" for classes, "number" for a value; None: the labels decide.
        classes: Names of the class numbers, where the source says them.
        whole_numbers_are_classes: Whether any number of whole numbers are classes.
        otherwise: What the user can do where nothing can be learnt from the labels.

    Raises:
        InputError: All labels are missing, or there is one class alone.
    """
    refuse_lists(name, labels)
    labels = without_empty(labels)
    note: list[str] = []
    if not whole_numbers_are_classes:
        labels, note = numbers_of_texts(name, labels, kind)
    present = labels.notna().to_numpy()
    if labels.dtype.kind == "f":
        present = present & np.isfinite(labels.to_numpy(np.float64))
    warnings = [*note, *_missing(name, present, otherwise)]
    labels = labels[present]
    if classes:
        target = _numbered(labels, classes)
        return _found(name, target, present, "named by the source", warnings, otherwise)
    task, reason = _task(labels, kind, whole_numbers_are_classes)
    if task == "value":
        return _value(name, labels, present, reason, warnings, otherwise)
    if labels.dtype.kind in "iuf" and otherwise.startswith(_ANOTHER):
        otherwise = f"write --column {shlex.quote(f'{name}=number')}, or {otherwise}"
    return _found(name, _classes(labels), present, reason, warnings, otherwise)


def make_labels(frame: "DataFrame", names: Sequence[str]) -> FoundTarget:
    """Make several labels of columns of 0 and 1, or of yes and no.

    Raises:
        InputError: A column has another value.
    """
    columns = [yes_or_no(frame[name]) for name in names]
    values = np.stack(columns, axis=1)
    present = np.asarray(~np.isnan(values).any(axis=1))
    warnings = _missing("labels", present, "choose other --labels")
    values = values[present].astype(np.float32)
    shares = ", ".join(f"{n} {s:.1%}" for n, s in zip(names, values.mean(axis=0), strict=True))
    target = DataTarget("labels", tuple(names), values)
    findings = (Finding("target", f"{len(names)} labels: {shares}", GIVEN),)
    rare = [n for n, total in zip(names, values.sum(axis=0), strict=True) if total < 2]
    warnings += [f"Label {n!r} is set in fewer than two samples." for n in rare]
    return FoundTarget(target, present, findings, tuple(warnings))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())  # y1 is not y


def _may_be_classes(values: "Series[Any]") -> bool:
    few = values.nunique() <= min(100, len(values) // 2)
    return few and _task(values.dropna(), None, False)[0] == "classes"


def _task(labels: "Series[Any]", kind: ColumnKind | None, whole: bool) -> tuple[str, str]:
    """Tell whether labels are classes or values, and why."""
    if kind is not None:
        return ("value" if kind == "number" else "classes"), GIVEN
    different = labels.nunique()
    if labels.dtype.kind not in "iuf":
        return "classes", f"{different:,} different texts"
    if bool((labels % 1 != 0).any()):
        return "value", "numbers with a fraction"
    if whole:
        return "classes", f"{different:,} different whole numbers"
    if different <= min(FEW_NUMBERS, max(2, len(labels) // 5)):
        return "classes", f"{different:,} different whole numbers, at most {FEW_NUMBERS}"
    return "value", f"{different:,} different whole numbers"


def _missing(name: str, present: NDArray[np.bool_], otherwise: str) -> list[str]:
    missing = int((~present).sum())
    if missing == len(present):
        given = f"no sample has a label: {name!r} is missing everywhere"
        raise InputError(given, "labels", otherwise)
    if not missing:
        return []
    return [
        f"{missing:,} of {len(present):,} samples have no label in {name!r}: they are left out."
    ]


def _numbered(labels: "Series[Any]", classes: tuple[str, ...]) -> DataTarget:
    numbers = labels.to_numpy(np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(classes):
        given = f"class numbers from {numbers.min()} to {numbers.max()}"
        raise InputError(given, f"0 to {len(classes) - 1}", "look at the labels")
    return DataTarget("classes", classes, numbers)


def _classes(labels: "Series[Any]") -> DataTarget:
    """Give classes their numbers, in the order of their names; those of numbers by size."""
    import pandas

    made, found = pandas.factorize(category_texts(labels))
    sizes = pandas.to_numeric(pandas.Series(found), errors="coerce")
    keys = (np.asarray(found, str),) if sizes.isna().any() else (sizes.to_numpy(np.float64),)
    order = np.lexsort(keys)
    place = np.argsort(order)
    return DataTarget("classes", tuple(str(found[i]) for i in order), place[made])


def _found(
    name: str,
    target: DataTarget,
    present: NDArray[np.bool_],
    reason: str,
    warnings: list[str],
    otherwise: str,
) -> FoundTarget:
    counts = np.bincount(target.values, minlength=len(target.names))
    _check_classes(name, target, counts, otherwise)
    shown = [f"{n} {c:,}" for n, c in zip(target.names, counts, strict=True)]
    more = f", {len(shown) - 12} more" if len(shown) > 12 else ""
    findings = (
        Finding("task", f"{len(target.names)} classes", reason),
        Finding("classes", ", ".join(shown[:12]) + more, "samples of each"),
    )
    return FoundTarget(target, present, findings, (*warnings, *_odd_classes(name, target, counts)))


def _check_classes(
    name: str, target: DataTarget, counts: NDArray[np.int64], otherwise: str
) -> None:
    """Refuse classes from which nothing can be learnt."""
    if (counts > 0).sum() < 2:
        only = target.names[int(counts.argmax())]
        given = f"the target {name!r} has one class alone: {only!r}"
        raise InputError(given, "two classes at least", otherwise)
    single, present = int((counts == 1).sum()), int((counts > 0).sum())
    most = single > _MANY_SINGLE and single > present / 2  # of the classes
    if most or single > len(target.values) / 2:
        given = f"the target {name!r} has {present:,} classes, {single:,} of one sample"
        raise InputError(given, "classes with several samples each", otherwise)


def _odd_classes(name: str, target: DataTarget, counts: NDArray[np.int64]) -> list[str]:
    """Warn of classes that are hard to learn."""
    warnings = []
    if single := [target.names[i] for i in np.flatnonzero(counts == 1)]:
        warnings.append(f"Classes with one sample alone, which is trained on: {listed(single)}.")
    if none := [target.names[i] for i in np.flatnonzero(counts == 0)]:
        warnings.append(f"Classes without a sample: {listed(none)}.")
    smallest, largest = counts[counts > 0].min(), counts.max()
    if largest > _UNEVEN * smallest:
        warnings.append(f"Classes differ much in size: from {smallest:,} to {largest:,}.")
    if len(counts) > _MANY_CLASSES:
        warnings.append(f"The target {name!r} has {len(counts):,} classes: is it a class?")
    return warnings


def _value(
    name: str,
    labels: "Series[Any]",
    present: NDArray[np.bool_],
    reason: str,
    warnings: list[str],
    otherwise: str,
) -> FoundTarget:
    import pandas

    values = pandas.to_numeric(labels, errors="coerce").to_numpy(np.float64)
    if not np.isfinite(values).all():
        wrong = labels[~np.isfinite(values)].iloc[0]
        given = f"the target {name!r} as a number has the value {str(wrong)!r}"
        raise InputError(given, "numbers", f"write --column {shlex.quote(f'{name}=category')}")
    if values.min() == values.max():
        given = f"the target {name!r} has the value {values.min():g} alone"
        raise InputError(given, "different values", otherwise)
    spread = f"{values.min():g} to {values.max():g}, mean {values.mean():.4g}"
    findings = (Finding("task", f"a value, {spread}", reason),)
    return FoundTarget(DataTarget("value", (name,), values), present, findings, tuple(warnings))
