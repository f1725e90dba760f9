"""A data set as `relprop fit` sees it: samples, a target, parts, and what was found out about it.

Gives frozen records, which readers make and everything after them takes. Must not know files,
networks or training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pandas import DataFrame

Modality = Literal["picture", "table", "series", "text"]
TaskKind = Literal["classes", "labels", "value"]
Part = Literal["train", "validation", "test"]
Resize = Literal["crop", "stretch", "pad"]
ColumnKind = Literal["number", "category", "date"]

# By modality:
#   picture  uint8 (n, height, width, channels)
#   table    DataFrame: float64 numbers, categories as text, datetime64; missing values are NaN
#   series   array of objects, each float32 (channels, time); lengths may differ
#   text     array of objects, each a str
SampleData = Any


@dataclass(frozen=True)
class Finding:
    """One thing that was inferred from the data, or that the user said.

    Attributes:
        what: What it is about: "modality", "target", "column age".
        value: What it was taken to be.
        reason: Why, in words; "given" where the user said so.
    """

    what: str
    value: str
    reason: str


@dataclass(frozen=True)
class DataTarget:
    """What is to be predicted.

    Attributes:
        task: "classes" (one of several), "labels" (any of several, yes or no each), or "value" (one
            number).
        names: Names of the classes or labels; the name of the value.
        values: Class numbers, int64 (n,); labels, float32 (n, labels) of 0 and 1; or the value,
            float64 (n,).
    """

    task: TaskKind
    names: tuple[str, ...]
    values: NDArray[Any]

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for a sample."""
        return len(self.names)


@dataclass(frozen=True)
class Dataset:
    """Samples with a target, in parts.

    Attributes:
        source: Where the data is from, as the user wrote it.
        modality: What the samples are.
        samples: The samples; see `SampleData` for what they are by modality.
        keys: Name of each sample: its file, or its row.
        target: What is to be predicted.
        parts: "train", "validation" or "test" of each sample, (n,).
        columns: Of a table, name of a column -> its kind; else empty.
        findings: What was inferred, in the order in which it is shown.
        warnings: What the user should know about the data, a sentence each.
        day_first: Columns of dates that were written with the day before the month.
        signs: Columns whose numbers were not written plainly -> "$", "%" and the like; "" for
            commas between thousands alone.
        resize: How pictures of other sizes are brought to that of `samples`.
    """

    source: str
    modality: Modality
    samples: SampleData
    keys: tuple[str, ...]
    target: DataTarget
    parts: NDArray[Any]
    columns: Mapping[str, ColumnKind] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    day_first: tuple[str, ...] = ()
    signs: Mapping[str, str] = field(default_factory=dict)
    resize: Resize = "crop"

    def rows(self, *parts: Part) -> NDArray[np.int64]:
        """Return the numbers of the samples of some parts, in order.

        Args:
            parts: Names of parts.
        """
        return np.flatnonzero(np.isin(self.parts, parts))

    def take(self, rows: NDArray[np.int64]) -> SampleData:
        """Return samples by their numbers.

        Args:
            rows: The numbers, (n,).
        """
        if self.modality == "table":
            frame: DataFrame = self.samples
            return frame.iloc[rows]
        return self.samples[rows]
