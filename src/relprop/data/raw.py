"""What a reader finds in a source, before target, columns and parts are decided.

Gives frozen records. Must not know how anything is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Finding, Modality, SampleData

PARTS = {  # what the parts of data are called -> part
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
}


@dataclass(frozen=True)
class RawData:
    """Samples as they were read.

    Attributes:
        modality: What they are; None: a table whose columns are still to decide it.
        samples: See `SampleData`; of a table all its columns, as they were read.
        keys: Name of each sample: its file, or its row.
        labels: Label of each sample, as it was read, (n,), or several of 0 and 1, (n, labels);
            None: a column of the table.
        official: "train", "validation" or "test" where the source says so, else "", (n,).
        classes: Names of the class numbers 0, 1, ..., where the source says them.
        targets: Columns of the table that are the target, where the source says so.
        named: Whether the names of columns are from the source.
        pictures: Of a table that names a picture in each row, their pixels; else None.
        picture_column: The column that names them; "" for none.
        findings: What was found out.
        warnings: What the user should know, a sentence each.
    """

    modality: Modality | None
    samples: SampleData
    keys: Sequence[str]
    labels: NDArray[Any] | None
    official: NDArray[np.str_]
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    named: bool = True
    pictures: NDArray[np.uint8] | None = None
    picture_column: str = ""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    def noting(self, *findings: Finding, warnings: Sequence[str] = ()) -> "RawData":
        """Return the same data with more findings and warnings."""
        return replace(
            self,
            findings=(*self.findings, *findings),
            warnings=(*self.warnings, *warnings),
        )

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "RawData":
        """Return some of the samples, by a mask or by their numbers."""
        places = np.arange(len(self.keys))[rows]
        frame = hasattr(self.samples, "iloc")
        samples = self.samples.iloc[places] if frame else self.samples[places]
        return replace(
            self,
            samples=samples.reset_index(drop=True) if frame else samples,
            keys=[self.keys[i] for i in places],
            labels=None if self.labels is None else self.labels[places],
            official=self.official[places],
            pictures=None if self.pictures is None else self.pictures[places],
        )


def parts_of(*sizes: tuple[str, int]) -> NDArray[np.str_]:
    """Name the part of each sample, from parts with their sizes, in order."""
    names = [name for name, _ in sizes]
    return np.repeat(np.array(names, "<U10"), [size for _, size in sizes])


def objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """Make an array of objects, also of arrays that are all of one shape."""
    return np.fromiter(values, dtype=object, count=len(values))
