"""Arrays and frames with a target, as a data set whose samples are all of the training part.

Takes what scikit-learn's estimators take. Must not know features or networks.

n  samples      d  features
"""

from collections import Counter
from numbers import Integral
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...data.columns import decide_columns
from ...data.dataset import ColumnKind, Dataset
from ...data.target import make_target
from ...errors import InputError
from ...support.extras import needs

with needs("fit", "feature selection"):
    from pandas import DataFrame, Series
    from sklearn.utils import check_consistent_length
    from sklearn.utils.validation import column_or_1d, validate_data

_FEWEST = 6  # samples: three folds of two


def checked_samples(estimator: Any, X: Any, y: Any) -> tuple[DataFrame, NDArray[Any]]:
    """Return samples as a frame whose columns are named by texts, and their targets.

    Args:
        estimator: Of scikit-learn; it is told the number of features and their names.
        X: Samples, (n, d): an array of numbers, or a frame.
        y: Target of each sample, (n,).

    Raises:
        InputError: There are too few samples, or columns of one name.
        ValueError: As scikit-learn raises it.
    """
    _check_names(X)
    mixed = hasattr(X, "dtypes") and any(one.kind not in "iufb" for one in X.dtypes)
    if mixed:
        validate_data(estimator, X, y, skip_check_array=True)
        frame, labels = X.copy(deep=False), column_or_1d(y, warn=True)
        check_consistent_length(frame, labels)
        if len(frame) < _FEWEST:
            given, todo = f"{len(frame)} samples", "add samples"
            raise InputError(given, f"{_FEWEST} at least, for folds of them", todo)
    else:
        X, labels = validate_data(
            estimator, X, y, ensure_all_finite="allow-nan", ensure_min_samples=_FEWEST
        )
        frame = DataFrame(X)
    names = getattr(estimator, "feature_names_in_", range(frame.shape[1]))
    frame.columns = [str(name) for name in names]
    return frame.reset_index(drop=True), labels


def _check_names(X: Any) -> None:
    """Raise InputError for a frame with two columns of one name."""
    names = Counter(str(name) for name in getattr(X, "columns", ()))
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        given = f"two columns with the name {twice!r}"
        raise InputError(given, "a name of its own for each", "rename one of them")


def check_number(name: str, value: object, most: int, least: int = 1) -> None:
    """Raise InputError for a number of features or folds that there cannot be.

    Args:
        name: What the user calls it.
        value: What was given; None is a k.
        most: The largest that there can be.
        least: The smallest.
    """
    if value is None and name == "k":
        return
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= int(value) <= most:  # type: ignore[call-overload]
        above = isinstance(value, (int, float)) and value > most
        todo = f"write {name}={most if above else least}"
        raise InputError(f"{name} is {value!r}", f"a whole number from {least} to {most:,}", todo)


def make_dataset(frame: DataFrame, labels: NDArray[Any]) -> Dataset:
    """Make a data set of training samples alone; columns of texts are decided as `fit` does.

    Args:
        frame: As `checked_samples` returns it.
        labels: The same.

    Raises:
        InputError: Targets are missing, or there is one class alone.
    """
    others = [name for name in frame.columns if frame[name].dtype.kind not in "iufb"]
    decided = decide_columns(frame[others], {})
    kinds: dict[str, ColumnKind] = {name: "number" for name in frame.columns if name not in others}
    kept = {name: one for name, one in decided.items() if one.values is not None}
    frame = frame.assign(**{name: one.values for name, one in kept.items()})
    kinds |= {name: cast(ColumnKind, one.kind) for name, one in kept.items()}
    found = make_target("y", Series(labels), None, otherwise="give another y")
    missing = int((~found.present).sum())
    if missing:
        given, allowed = f"y without {missing} of {len(labels)} targets", "a target of each sample"
        todo = "leave out samples whose y is missing, empty or infinite"
        raise InputError(given, allowed, todo)
    return Dataset(
        source="X, y",
        modality="table",
        samples=frame[list(kinds)],
        keys=tuple(map(str, range(len(frame)))),
        target=found.target,
        parts=np.full(len(frame), "train"),
        columns=kinds,
    )
