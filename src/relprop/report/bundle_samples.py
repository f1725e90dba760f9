"""Samples for a bundle, which prepares them itself: of whatever files `relprop fit` reads.

Takes paths and a bundle. Gives batches with the names that the user's data has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..bundles.bundle import Bundle, metric_text
from ..bundles.data_again import column_of_texts, read_again, target_column
from ..bundles.naming import (
    by_words,
    labels_text,
    padded_tokens,
    row_values,
    series_channels,
    value_text,
)
from ..bundles.raw_samples import table_samples
from ..data.dataset import Dataset, SampleData
from ..data.raw import objects
from ..data.sources.opened import plain_suffix
from ..data.sources.tables import TABLES
from ..data.target import check_column, make_labels
from ..explanation.result import Explanation
from ..plot.tables import ColumnNames
from ..plot.view import ViewKind
from ..prepare.table_columns import check_columns
from ..support.number_text import number_text
from .batches import Batch, LeftOut, spread

if TYPE_CHECKING:
    from pandas import DataFrame
    from PIL.Image import Image


class BundleTexts:
    """What a bundle does to texts, as `TextSamples` calls it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return token ids, (n, tokens)."""
        return self._bundle.prepare(texts)

    def strings(self, texts: Sequence[str]) -> list[list[tuple[str, bool]]]:
        """Name the tokens, and tell which are padding."""
        return named_tokens(self._bundle, texts)


class BundlePictures:
    """What a bundle does to a picture, as `PictureSamples` calls it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __call__(self, picture: "Image") -> Tensor:
        """Return a picture as the model takes it, (1, c, h, w)."""
        return self._bundle.prepare(picture)

    def values(self, picture: "Image") -> Tensor:
        """Return a picture as it is shown, (c, h, w) from 0 to 1."""
        return shown_pictures(self._bundle.samples(picture))[0]


@dataclass(frozen=True)
class LabelledSamples:
    """Raw samples with what they are called.

    Attributes:
        samples: As a data set holds them.
        keys: Name of each.
        labels: Label of each, or its labels in a line; None where it has none.
        label_names: Names of the labels that occur, in the order of the model's classes.
    """

    samples: SampleData
    keys: Sequence[str]
    labels: Sequence[str | None]
    label_names: Sequence[str] = ()


class BundleSamples:
    """Samples that a bundle prepares; see `SampleData` of `batches.py`.

    Args:
        bundle: What prepares them.
        labelled: The samples.
    """

    def __init__(self, bundle: Bundle, labelled: LabelledSamples) -> None:
        self._bundle, self._labelled = bundle, labelled
        self.kind: ViewKind = bundle.modality
        self.count = len(labelled.keys)
        self.label_names = labelled.label_names
        self.preprocessing = bundle.preparation.describe()

    @property
    def columns(self) -> ColumnNames:
        """What the features of a row are called, and which belong to a column; channels."""
        preparation: Any = self._bundle.preparation
        if self.kind == "series":
            masked = self._bundle.content.members[0].facts.masked
            return ColumnNames(series_channels(preparation.shape[0], masked))
        if self.kind != "table":
            return ColumnNames()
        columns = preparation.columns
        return ColumnNames(columns.names, columns.groups)

    def batches(self, size: int, total: int) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Prepare samples; see `SampleData`."""
        places = spread(self.count, total)
        for start in range(0, total, size):
            yield self.batch(places[start : start + size]), []

    def batch(self, rows: Sequence[int]) -> Batch:
        """Prepare some samples, by their numbers."""
        taken, bundle = _take(self._labelled.samples, rows), self._bundle
        texts: Sequence[Sequence[tuple[str, bool]]] = ()
        if self.kind == "text":
            texts = named_tokens(bundle, taken)
        return Batch(
            [self._labelled.keys[i] for i in rows],
            [self._labelled.labels[i] for i in rows],
            bundle.prepare_samples(taken),
            shown=shown_pictures(taken) if self.kind == "picture" else None,
            texts=texts,
            raw=taken if self.kind == "text" else (),
            values=row_values(taken, list(bundle.content.columns)) if self.kind == "table" else (),
        )


def named_tokens(bundle: Bundle, texts: SampleData) -> list[list[tuple[str, bool]]]:
    """Name the tokens of prepared texts, and tell which are padding."""
    return [_with_padding(tokens) for tokens in padded_tokens(bundle.preparation, texts)]


def in_words(bundle: Bundle | None, e: Explanation, batch: Batch) -> tuple[Explanation, Batch]:
    """Return an explanation of n-grams, and its batch, by the words of each text; else as given.

    A pair of words shares its relevance equally between the two, so that sums stay the same.
    """
    if bundle is None or not by_words(bundle.preparation):
        return e, batch
    named = bundle.named(e, list(batch.raw))
    texts = [_with_padding(words) for words in named.naming["tokens"]]
    return named, replace(batch, inputs=named.input, texts=texts)


def learned_text(bundle: Bundle, data: Sequence[Path]) -> str:
    """Say that samples are of what a bundle was fitted to, and how good it is on others.

    Args:
        bundle: The bundle.
        data: Where the samples are from.

    Returns:
        A sentence; "" for other data.
    """
    content = bundle.content
    source = Path(content.source).resolve()
    if not content.source or source not in [path.resolve() for path in data]:
        return ""
    tested = content.metrics[0] if content.metrics else None
    text = f"the model was fitted to {content.source}: it has learned most of these samples"
    return text if tested is None else f"{text}; on its test part: {metric_text(tested)}"


def _with_padding(tokens: Sequence[str]) -> list[tuple[str, bool]]:
    return [(token or "[PAD]", not token) for token in tokens]


def shown_pictures(samples: SampleData) -> Tensor:
    """Return pictures (n, h, w, c) as they are shown, (n, c, h, w) from 0 to 1."""
    return torch.from_numpy(samples).permute(0, 3, 1, 2).float() / 255


def labelled_dataset(dataset: Dataset) -> LabelledSamples:
    """Name the samples of a data set by its keys and its target."""
    names, values = dataset.target.names, dataset.target.values
    if dataset.target.task == "labels":
        labels: list[str | None] = [labels_text(row, names) for row in (values > 0.5).tolist()]
    elif dataset.target.task == "value":
        labels = [number_text(value, 6) for value in values.tolist()]
    else:
        labels = [names[number] for number in values.tolist()]
    known = names if dataset.target.task == "classes" else ()
    return LabelledSamples(dataset.samples, dataset.keys, labels, known)


def is_table(path: Path) -> bool:
    """Tell whether a path is named like a table."""
    return plain_suffix(path) in TABLES


def read_labelled(path: Path, bundle: Bundle, target: str | None) -> LabelledSamples:
    """Read samples with their labels; rows of a table, and texts in one, need not have any.

    Args:
        path: A table, or whatever else a data set can be.
        bundle: What they are for.
        target: Column of the labels; None: that which the bundle was fitted to.

    Raises:
        RelpropError: They cannot be read, or are of another modality.
    """
    if bundle.modality == "table" and is_table(path):
        frame = bundle.samples(path)
        return _labelled_rows(frame, frame, bundle, target)
    if bundle.modality == "text" and is_table(path) and (column := column_of_texts(bundle.content)):
        frame = table_samples(path, [column])
        return _labelled_rows(_texts_of(frame, column), frame, bundle, target)
    return labelled_dataset(read_again(bundle.content, path, target))


def _labelled_rows(
    samples: SampleData, frame: "DataFrame", bundle: Bundle, target: str | None
) -> LabelledSamples:
    """Name samples by the rows of a table, with the labels that it has."""
    names = list(map(str, frame.columns))
    column = target or target_column(bundle.content)
    if target is not None:
        check_column(target, names, "target")
    keys = [f"row {i + 1}" for i in range(len(frame))]
    if bundle.task == "labels":
        return LabelledSamples(samples, keys, _labels_of_rows(frame, bundle.classes))
    if column not in names:
        return LabelledSamples(samples, keys, [None] * len(frame))
    labels = [_label(value, bundle.classes) for value in frame[column].tolist()]
    known = bundle.classes if bundle.task == "classes" else ()
    return LabelledSamples(samples, keys, labels, known)


def _texts_of(frame: "DataFrame", column: str) -> SampleData:
    """Return the texts of a table: of the column that a bundle was fitted to, or the only one."""
    if frame.shape[1] > 1:
        check_columns(frame, {column: "category"})
    texts = frame[column] if column in frame.columns else frame.iloc[:, 0]
    return objects(texts.map(str, na_action="ignore").fillna("").tolist())


def _labels_of_rows(frame: Any, names: Sequence[str]) -> list[str | None]:
    """Name the labels of each row; None where a column is not there, or is empty in the row."""
    none: list[str | None] = [None] * len(frame)
    if not set(names) <= set(frame.columns) or frame[list(names)].isna().any(axis=1).all():
        return none
    found = make_labels(frame, names)
    rows = iter((found.target.values > 0.5).tolist())
    return [labels_text(next(rows), names) if there else None for there in found.present]


def _label(value: object, classes: Sequence[str]) -> str | None:
    """Write a label as the bundle names its classes; some files put a dot behind each."""
    if value is None or value != value:
        return None
    text = value_text(value)
    return text if text in classes else text.removesuffix(".")


def _take(samples: SampleData, rows: Sequence[int]) -> Any:
    return samples.iloc[list(rows)] if hasattr(samples, "iloc") else samples[list(rows)]
