"""Fits the preparation of a table on its training part.

Takes a data set and settings: `numbers` ("standard", "normal"), `bins` (0: none), `bins_by`
("quantile", "tree"). Gives a `TablePreparation`. Must not know networks.

n  rows      t  targets
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset, DataTarget
from ..errors import InputError
from ..support.arguments import check_one_of
from ..support.extras import needs
from .piecewise_linear import PiecewiseLinear
from .table_columns import check_columns, text_column
from .tables import TablePreparation, one_hot_columns, table_numbers
from .wide_categories import WideCategories

with needs("fit", "preparing tables"):
    from pandas import Series
    from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler

# Categories with fewer samples are merged: weights of their own would be noise.
RARE = 5
# A column with more categories that are not rare becomes means of the target.
MANY_CATEGORIES = 100


def fit_table(
    dataset: Dataset, rows: NDArray[np.int64], settings: Mapping[str, Any]
) -> TablePreparation:
    """Fit what maps rows of a table to features.

    Args:
        dataset: A table.
        rows: Numbers of the samples to fit it on: training samples, no others.
        settings: Those of the trial, all of them: `numbers`, `bins` and `bins_by` are read.

    Raises:
        InputError: A setting is not allowed, or the rows give no feature.
    """
    check_one_of("numbers", settings["numbers"], ("standard", "normal"))
    check_one_of("bins_by", settings["bins_by"], ("quantile", "tree"))
    frame, kinds = dataset.take(rows), dict(dataset.columns)
    check_columns(frame, kinds)
    wide = _wide(frame, kinds, _target_columns(dataset.target, rows))
    numbers = table_numbers(frame, kinds, wide, dataset.day_first, dataset.signs)  # (n, k)
    preparation = TablePreparation(
        kinds=kinds,
        missing=tuple(np.flatnonzero(np.isnan(numbers).any(axis=0)).tolist()),
        one_hot=_one_hot(frame, one_hot_columns(kinds, wide)),
        wide=wide,
        day_first=dataset.day_first,
        signs=dataset.signs,
        **_fitted_numbers(numbers, dataset.target.values[rows], settings),
    )
    if not preparation.shape[0]:
        given = f"{len(rows)} rows whose columns ({', '.join(kinds) or 'none'}) give no feature"
        todo = "add a column of numbers, or of categories that occur in several rows"
        raise InputError(given, "a table with at least one feature", todo)
    return replace(preparation, centre=_means(preparation.uncentred(frame)))


def _means(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each feature over what is known of it, (f,); 0 where nothing is."""
    known = np.maximum((~np.isnan(features)).sum(axis=0), 1)
    means: NDArray[np.float64] = np.nansum(features, axis=0, dtype=np.float64) / known
    return means.astype(np.float32)


def _target_columns(target: DataTarget, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is predicted as numbers (n, t): a column each for labels and for classes."""
    values = target.values[rows]
    if target.task == "classes":
        shown = range(1, 2) if target.outputs == 2 else range(target.outputs)
        return np.column_stack([values == number for number in shown]).astype(np.float64)
    return values.reshape(len(rows), -1).astype(np.float64)


def _wide(
    frame: Any, kinds: Mapping[str, Any], targets: NDArray[np.float64]
) -> dict[str, WideCategories]:
    """Fit the columns of very many categories."""
    text = {name: text_column(frame, name) for name in one_hot_columns(kinds, {})}
    return {name: WideCategories.fit(of, targets) for name, of in text.items() if _is_wide(of)}


def _is_wide(text: NDArray[np.object_]) -> bool:
    return int((Series(text).value_counts() >= RARE).sum()) > MANY_CATEGORIES


def _one_hot(frame: Any, columns: list[str]) -> Any:
    """Fit a OneHotEncoder; None where there are no columns."""
    if not columns:
        return None
    encoder = OneHotEncoder(
        min_frequency=RARE,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
    )
    return encoder.fit(np.column_stack([text_column(frame, name) for name in columns]))


def _fitted_numbers(
    numbers: NDArray[np.float64], target: NDArray[Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Fit what numbers (n, k) become: scaler, normal, bins; None for what is not done."""
    if not numbers.shape[1]:
        return {"scaler": None, "normal": None, "bins": None}
    normal, bins = None, None
    with np.errstate(invalid="ignore"):  # the mean of a column without a value in these rows
        scaler = StandardScaler().fit(numbers)
    if settings["numbers"] == "normal":
        scaled = scaler.transform(numbers)
        empty = np.isnan(scaled).all(axis=0)  # which PowerTransformer cannot take
        normal = PowerTransformer().fit(np.where(empty, 0.0, scaled))
    if settings["bins"]:
        bins = PiecewiseLinear(settings["bins"], settings["bins_by"]).fit(numbers, target)
    return {"scaler": scaler, "normal": normal, "bins": bins}
