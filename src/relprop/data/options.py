"""What a user says about data, where `relprop fit` is not to find it out itself.

Gives a frozen record, checked as far as it can be without the data. Must not know files.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ..errors import InputError
from ..support.arguments import check_seed, suggest
from .dataset import ColumnKind, Modality, Resize

_LEAST_MEMORY = 1_000_000  # bytes


@dataclass(frozen=True)
class DataOptions:
    """What the user says about the data; what is left out is inferred.

    Attributes:
        target: Name of the column that is to be predicted. Several names are `labels`.
        labels: Names of several columns of 0 and 1, each of which is predicted.
        modality: What the samples are: "picture", "table", "series" or "text".
        test: The official test part: a file, or data in memory of the same kind as the rest.
        drop: Names of columns to leave out.
        kinds: Of some columns, "number", "category" or "date". Of the target, "category" asks for
            classes, "number" for a value.
        group: Column whose rows with the same value stay in the same part.
        time: Column by which rows are ordered: the latest become the test part.
        split: Shares of the test part, and of the validation part in the rest.
        seed: Seed of the split, and of the sample where data is larger than memory.
        resize: How pictures of other sizes are brought to that of most: "crop" cuts the middle out,
            "stretch" changes their shape, "pad" fills up with black; None: "crop".
        memory: Most bytes that the samples may take; None: half of the memory that is free.

    Example:
        >>> from relprop.data import DataOptions
        >>> DataOptions(target="income", kinds={"zip": "category"}).target
        ('income',)
    """

    target: str | Sequence[str] | None = ()
    labels: Sequence[str] = ()
    modality: Modality | None = None
    test: Any = None
    drop: Sequence[str] = ()
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    group: str | None = None
    time: str | None = None
    split: tuple[float, float] = (0.15, 0.15)
    seed: int = 0
    memory: int | None = None
    resize: Resize | None = None

    def __post_init__(self) -> None:
        """Take a single name for several, and check what can be checked without data."""
        for name in ("target", "labels", "drop"):
            object.__setattr__(self, name, _names(getattr(self, name)))
        if len(self.target or ()) > 1 and not self.labels:
            object.__setattr__(self, "labels", self.target)
            object.__setattr__(self, "target", ())
        if isinstance(self.test, str):
            object.__setattr__(self, "test", Path(self.test))
        _check(self)

    @property
    def target_column(self) -> str | None:
        """Name of the column that is to be predicted, where the user gave one."""
        return self.target[0] if self.target else None

    @property
    def columns_of_tables(self) -> dict[str, object]:
        """Return what the user said that means something for tables alone, by option."""
        names = ("labels", "drop", "group", "time")
        return {name: getattr(self, name) for name in names}


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _check(options: DataOptions) -> None:
    if options.target and options.labels:
        given = f"the target {options.target_column!r} and the labels {', '.join(options.labels)}"
        raise InputError(given, "a target, or several labels", "leave one of them out")
    if len(options.labels) == 1:
        given = f"the single label {options.labels[0]!r}"
        todo = f"write --target {shlex.quote(options.labels[0])}"
        raise InputError(given, "two labels at least, or a target", todo)
    if options.group and options.time:
        given = f"the group column {options.group!r} and the time column {options.time!r}"
        raise InputError(given, "a split by groups, or one by time", "leave one of them out")
    if options.modality is not None:
        _check_word("modality", options.modality, get_args(Modality))
    if options.resize is not None:
        _check_word("resize", options.resize, get_args(Resize))
    for column, kind in options.kinds.items():
        _check_word(f"the kind of column {column!r}", kind, get_args(ColumnKind))
    if not (len(options.split) == 2 and all(0 < share <= 0.5 for share in options.split)):
        given = f"split is {options.split!r}"
        allowed = "shares of the test part and of the validation part, above 0 and at most 0.5"
        raise InputError(given, allowed, "write split=(0.15, 0.15)")
    if options.memory is not None and options.memory < _LEAST_MEMORY:
        given, allowed = f"memory is {options.memory!r} bytes", f"{_LEAST_MEMORY:,} bytes at least"
        raise InputError(given, allowed, "write memory=2_000_000_000")
    check_seed(options.seed)


def _check_word(what: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise InputError(f"{what} is {word!r}", ", ".join(allowed), suggest(word, allowed))
