"""Tables as tensors: what was fitted on the training part, applied to any rows with its columns.

Takes frames as they were read. Gives features, and says which belong to which column, so that
relevance can be summed to columns. Must not know networks.

n  rows      k  numbers of a row      f  features
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import ColumnKind
from .fitted_state import pack, unpack
from .piecewise_linear import PiecewiseLinear
from .sample_row import check_sample_features, sample_features, versions
from .table_columns import (
    DATE_PARTS,
    MISSING_CATEGORY,
    check_columns,
    date_column,
    number_column,
    text_column,
)
from .wide_categories import WideCategories

if TYPE_CHECKING:
    from pandas import DataFrame

# Standard deviations at which numbers are cut: one wrong digit must not decide a score.
MOST_DEVIATIONS = 10.0
_FITTED = ("scaler", "normal", "bins", "one_hot", "centre")


@dataclass(frozen=True)
class TableColumns:
    """What the features of a row are called, and which belong to one column.

    Attributes:
        names: Name of each feature.
        groups: Column -> positions of its features; columns without a feature are left out.
    """

    names: tuple[str, ...]
    groups: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class TablePreparation:
    """Maps rows of a table to features; made by `fit_table`.

    Numbers are standardised, each with a feature that says that it is missing where that occurred
    in training, and may be split into bins as well. Categories are one-hot, rare ones as one; an
    unknown category is a rare one. A date is five numbers.

    The mean over the training part is then subtracted from each feature, so that relevance is
    measured from the average row: a category whose features change nothing gets none. What is not
    known counts as the mean, 0: a missing number in its other features, and an unknown category
    where none was rare.

    Attributes:
        kinds: Column -> what it holds, in order.
        scaler: StandardScaler of the numbers; None where there are none.
        normal: PowerTransformer of the standardised numbers, which makes them nearly normal; None:
            not done.
        missing: Positions of the numbers whose absence is a feature.
        bins: Bins of the numbers; None: not done.
        one_hot: OneHotEncoder of the categories; None where there are none.
        wide: Column of very many categories -> means of the target.
        centre: Mean of each feature over the training part, (f,); None while it is not yet known.
        day_first: Columns of dates that are written with the day before the month.
        signs: Columns whose numbers may have commas between thousands -> the sign that stands
            before or behind them: "$", "%", or "".
    """

    kinds: Mapping[str, ColumnKind]
    scaler: Any
    normal: Any
    missing: tuple[int, ...]
    bins: PiecewiseLinear | None
    one_hot: Any
    wide: Mapping[str, WideCategories] = field(default_factory=dict)
    centre: NDArray[np.float32] | None = None
    day_first: tuple[str, ...] = ()
    signs: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int]:
        """Shape of a prepared row: (features,)."""
        return (len(self.columns.names),)

    @property
    def vocabulary(self) -> int:
        """Number of token ids: 0, as rows have none."""
        return 0

    @property
    def columns(self) -> TableColumns:
        """Name of each feature, and the features of each column."""
        features = list(self._features())
        groups: dict[str, list[int]] = {}
        for position, (column, _) in enumerate(features):
            groups.setdefault(column, []).append(position)
        ordered = {name: tuple(groups[name]) for name in self.kinds if name in groups}
        return TableColumns(tuple(name for _, name in features), ordered)

    def apply(self, samples: "DataFrame") -> Tensor:
        """Prepare rows, (n, f) in float32.

        Args:
            samples: A frame that has the columns; others are ignored.

        Raises:
            InputError: A column is missing, or holds what is no number or no date.
        """
        features = self.uncentred(samples)
        if self.centre is not None:
            features -= self.centre
        return torch.from_numpy(np.nan_to_num(features, copy=False))

    def uncentred(self, samples: "DataFrame") -> NDArray[np.float32]:
        """Return the features of rows before the mean is subtracted, (n, f); nan: not known.

        Args:
            samples: As of `apply`, which raises the same.
        """
        check_columns(samples, self.kinds)
        blocks: list[NDArray[Any]] = [np.zeros((len(samples), 0))]
        if self.scaler is not None:
            how = (self.day_first, self.signs)
            numbers = table_numbers(samples, self.kinds, self.wide, *how)
            blocks += self._number_features(numbers)
        if self.one_hot is not None:
            text = [text_column(samples, name) for name in one_hot_columns(self.kinds, self.wide)]
            blocks.append(_one_hot_features(self.one_hot, np.column_stack(text)))
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def describe(self) -> str:
        """Say in words what is done to rows."""
        names, said = [name for name, _ in number_names(self.kinds, self.wide)], []
        if names:
            how = "made nearly normal" if self.normal is not None else "standardised"
            said.append(f"{_count(len(names), 'number')} {how}")
        if self.missing:
            said.append(f"{_count(len(self.missing), 'number')} with a feature for missing")
        if self.bins is not None:
            said.append(f"{_count(len(self.bins.intervals()), 'bin')} of numbers")
        if self.one_hot is not None:
            said.append(f"{_count(len(self.one_hot.categories_), 'column')} one-hot")
        if self.wide:
            said.append(f"{_count(len(self.wide), 'column')} of very many categories as means")
        columns, features = _count(len(self.kinds), "column"), _count(self.shape[0], "feature")
        if self.centre is not None:
            said.append("from each its mean subtracted")
        return f"{columns} as {features}: {', '.join(said)}"

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return all that was fitted: plain values, for JSON, and tensors by name."""
        tensors: dict[str, Tensor] = {}
        fitted = {name: pack(getattr(self, name), tensors) for name in _FITTED}
        wide = {name: one.state(tensors) for name, one in self.wide.items()}
        tensors["sample"] = sample_features(self)
        state = {
            "kinds": [[name, kind] for name, kind in self.kinds.items()],
            "missing": list(self.missing),
            "wide": wide,
            "day_first": list(self.day_first),
            "signs": dict(self.signs),
            "versions": versions(),
            **fitted,
        }
        return state, tensors

    @classmethod
    def restore(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Make again the preparation that gave `state()`.

        Raises:
            FileError: The scikit-learn that is installed computes otherwise than the one that it
                was fitted with.
        """
        wide = {one: WideCategories.restore(of, tensors) for one, of in state["wide"].items()}
        restored = cls(
            kinds=dict(state["kinds"]),
            missing=tuple(state["missing"]),
            wide=wide,
            day_first=tuple(state["day_first"]),
            signs=dict(state["signs"]),
            **{name: unpack(state[name], tensors) for name in _FITTED},
        )
        check_sample_features(restored, tensors["sample"], state["versions"])
        return restored

    def _number_features(self, numbers: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return what numbers (n, k) become, in the order of `_features`."""
        scaled = self.scaler.transform(numbers)
        if self.normal is not None:
            scaled = self.normal.transform(scaled)
        blocks = [
            np.clip(scaled, -MOST_DEVIATIONS, MOST_DEVIATIONS),
            np.isnan(numbers[:, list(self.missing)]),
        ]
        return blocks if self.bins is None else [*blocks, self.bins.transform(numbers)]

    def _features(self) -> Iterator[tuple[str, str]]:
        """Yield the column and the name of each feature."""
        numbers = number_names(self.kinds, self.wide)
        yield from ((column, name) for name, column in numbers)
        for position in self.missing:
            name, column = numbers[position]
            yield column, f"{name} is missing"
        if self.bins is not None:
            for position, low, high in self.bins.intervals():
                name, column = numbers[position]
                yield column, f"{name} from {low:.6g} to {high:.6g}"
        if self.one_hot is not None:
            columns = one_hot_columns(self.kinds, self.wide)
            for column, categories in zip(columns, _one_hot_names(self.one_hot), strict=True):
                yield from ((column, f"{column} is {category}") for category in categories)


def table_numbers(
    frame: "DataFrame",
    kinds: Mapping[str, ColumnKind],
    wide: Mapping[str, WideCategories],
    day_first: Sequence[str],
    signs: Mapping[str, str],
) -> NDArray[np.float64]:
    """Return all that is a number in a table, (n, k), in the order of `number_names`."""
    found = [np.zeros((len(frame), 0))]
    for name, kind in kinds.items():
        if kind == "number":
            found.append(number_column(frame, name, signs.get(name))[:, None])
        elif kind == "date":
            found.append(date_column(frame, name, name in day_first))
        elif name in wide:
            found.append(wide[name].apply(text_column(frame, name)))
    return np.concatenate(found, axis=1)


def number_names(
    kinds: Mapping[str, ColumnKind], wide: Mapping[str, WideCategories]
) -> list[tuple[str, str]]:
    """Return the name of each number of `table_numbers`, and its column."""
    names: list[tuple[str, str]] = []
    for column, kind in kinds.items():
        if kind == "number":
            names.append((column, column))
        elif kind == "date":
            names += [(f"{column}, {part}", column) for part in DATE_PARTS]
        elif column in wide:
            targets = len(wide[column].encoders)
            names += [(f"{column}, mean of target {i}", column) for i in range(targets)]
    return names


def one_hot_columns(
    kinds: Mapping[str, ColumnKind], wide: Mapping[str, WideCategories]
) -> list[str]:
    """Return the columns whose categories are features."""
    return [name for name, kind in kinds.items() if kind == "category" and name not in wide]


def _one_hot_features(encoder: Any, text: NDArray[np.object_]) -> NDArray[np.float32]:
    """Return the one-hot features of text (n, columns); nan where a category is not known."""
    features: NDArray[np.float32] = encoder.transform(text)
    start = 0
    for names in _one_hot_names(encoder):
        of_column = features[:, start : start + len(names)]
        of_column[~of_column.any(axis=1)] = np.nan
        start += len(names)
    return features


def _one_hot_names(encoder: Any) -> list[list[str]]:
    """Return the features of each column of a OneHotEncoder: common categories, then rare ones."""
    names = []
    for categories, rare in zip(encoder.categories_, encoder.infrequent_categories_, strict=True):
        common = [one for one in categories if rare is None or one not in set(rare)]
        shown = ["missing" if one == MISSING_CATEGORY else one for one in common]
        names.append(shown + ["rare"] * (rare is not None))
    return names


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
