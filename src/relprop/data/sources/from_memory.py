"""Takes data that is in memory already: a DataFrame, arrays with labels, datasets of torch.

Takes objects. Gives what a reader gives. Must not know files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...support.arguments import suggest
from ..dataset import Modality
from ..memory import Limit
from ..options import DataOptions
from ..raw import RawData, parts_of
from ..words import listed
from .array_meaning import ArrayPart, raw_of_arrays
from .arrays import as_array
from .table_layout import unique_names

if TYPE_CHECKING:
    from pandas import DataFrame

_TARGET = "target"  # name of labels that have none
_ALLOWED = "a path, a DataFrame, a pair (samples, labels), a dataset of torch, or one of datasets"


def describe_memory(data: Any) -> str:
    """Say what data in memory is."""
    kind = type(data).__name__
    return f"{kind} in memory, {len(data):,} rows" if _is_frame(data) else f"{kind} in memory"


def read_memory(data: Any, options: DataOptions, limit: Limit) -> RawData:
    """Take data that is in memory.

    Args:
        data: A DataFrame of pandas or polars; a pair of samples and labels: a DataFrame and a
            column, arrays, tensors, lists of texts or of series; a dataset of torch whose items are
            such pairs; a dataset of the library `datasets`.
        options: With the test part, of the same kind, if there is an official one.
        limit: How much memory samples may take. They are there: it is not applied.

    Raises:
        InputError: It is something else.
    """
    if _is_hub_dataset(data):
        from .hub import raw_of_datasets

        return raw_of_datasets({"": data} if not isinstance(data, dict) else data, options, "data")
    if hasattr(data, "to_pandas"):
        data = data.to_pandas()
    if _is_frame(data):
        return _frame(data, options)
    if _begins_with_frame(data):
        frame, targets = _with_labels(data)
        test = options.test
        test = _with_labels(test)[0] if _begins_with_frame(test) else test
        return replace(_frame(frame, replace(options, test=test)), targets=targets)
    parts = [_part("train" if options.test is not None else "", data)]
    if options.test is not None:
        parts.append(_part("test", options.test))
    modality: Modality | None = options.modality
    return raw_of_arrays(parts, modality, "the data")


def _is_frame(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns")


def _is_hub_dataset(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "datasets"


def _begins_with_frame(data: Any) -> bool:
    """Tell whether data is a pair of a DataFrame and its labels."""
    pair = isinstance(data, (tuple, list)) and len(data) == 2
    return pair and (_is_frame(data[0]) or hasattr(data[0], "to_pandas")) and np.ndim(data[0]) == 2


def _with_labels(pair: Any) -> tuple["DataFrame", tuple[str, ...]]:
    """Put the labels of a pair behind the columns of its DataFrame.

    Returns:
        The table, and the names of its targets.
    """
    table, labels = (one.to_pandas() if hasattr(one, "to_pandas") else one for one in pair)
    found = _label_columns(labels)
    if len(found) != len(table):
        given = f"a DataFrame of {len(table):,} rows, and {len(found):,} labels"
        raise InputError(given, "a label for each row", "look at both")
    same = hasattr(labels, "index") and found.index.symmetric_difference(table.index).empty
    if same and not found.index.equals(table.index):
        given = "a DataFrame and labels whose indices are alike, in another order"
        raise InputError(given, "labels in the order of the rows", "write labels.loc[frame.index]")
    names = unique_names([str(name) for name in (*table.columns, *found.columns)])
    made = table.set_axis(list(names[: table.shape[1]]), axis=1)
    targets = names[table.shape[1] :]
    columns = (found.iloc[:, i].set_axis(table.index) for i in range(len(targets)))
    return made.assign(**dict(zip(targets, columns, strict=True))), targets


def _label_columns(labels: Any) -> Any:
    """Return labels as a DataFrame, a column for each target."""
    import pandas

    if _is_frame(labels):
        return labels
    if isinstance(labels, pandas.Series):
        return labels.to_frame(_TARGET if labels.name is None else str(labels.name))
    array = np.asarray(_array(labels))
    array = array.reshape(len(array), -1)
    several = array.shape[1] > 1
    names = [f"{_TARGET} {i + 1}" if several else _TARGET for i in range(array.shape[1])]
    return pandas.DataFrame(array, columns=names)


def _frame(data: Any, options: DataOptions) -> RawData:
    import pandas

    frames, warnings = [_plain(data)], []
    if options.test is not None:
        frames.append(_test_frame(options.test, frames[0]))
        known = set(frames[0].columns)
        if extra := [name for name in map(str, options.test.columns) if name not in known]:
            warnings = [f"The test part has more columns, which are not used: {listed(extra)}."]
    if not len(data):
        raise InputError("a DataFrame without rows", "a row at least", "give another one")
    names = ["train", "test"] if len(frames) > 1 else [""]
    return RawData(
        modality=None,
        samples=pandas.concat(frames, ignore_index=True),
        keys=[f"row {index}" for one in frames for index in one.index],
        labels=None,
        official=parts_of(*zip(names, map(len, frames), strict=True)),
        warnings=tuple(warnings),
    )


def _test_frame(given: Any, data: Any) -> Any:
    test = given.to_pandas() if hasattr(given, "to_pandas") else given
    if not _is_frame(test):
        wrong = f"a test part of type {type(test).__name__} beside a DataFrame"
        raise InputError(wrong, "a DataFrame with the same columns", "write test=frame")
    test, names = _plain(test), list(data.columns)
    if lacking := [name for name in names if name not in test.columns]:
        wrong = f"the test part has no column {listed(list(map(repr, lacking)))}"
        allowed = list(map(str, test.columns))
        raise InputError(wrong, listed(allowed, 20), suggest(lacking[0], allowed))
    return test[names]


def _plain(frame: Any) -> Any:
    """Name each column by a text of its own, and bring types of Arrow to those of numpy."""
    made = frame.copy(deep=False)
    made.columns = list(unique_names([str(name) for name in frame.columns]))
    for name in made.columns:
        if hasattr(made[name].dtype, "pyarrow_dtype"):
            made[name] = _from_arrow(made[name])
    return made


def _from_arrow(values: Any) -> Any:
    if values.dtype.kind in "iuf":
        return values.astype("float64")
    if values.dtype.kind == "b":
        return values.astype("boolean")
    return values.astype(object).where(values.notna(), None).infer_objects()


def _part(name: str, data: Any) -> ArrayPart:
    pair = data if isinstance(data, (tuple, list)) and len(data) == 2 else None
    if pair is None and hasattr(data, "tensors") and len(data.tensors) == 2:
        pair = data.tensors  # of a TensorDataset
    if (
        pair is None
        and not isinstance(data, Mapping)
        and hasattr(data, "__getitem__")
        and hasattr(data, "__len__")
    ):
        pair = _items(data)
    if pair is None:
        given = f"data of type {type(data).__name__}"
        todo = "pandas.DataFrame(data)" if isinstance(data, Mapping) else "(samples, labels)"
        raise InputError(given, _ALLOWED, f"write {todo}")
    samples, labels = pair
    if not isinstance(samples, Sequence) and not hasattr(samples, "__array__"):
        todo = "samples.toarray()" if hasattr(samples, "toarray") else "numpy.array(samples)"
        given = f"samples of type {type(samples).__name__}"
        raise InputError(given, "an array, a tensor, a DataFrame or a list", f"write {todo}")
    return ArrayPart(name, _array(samples), np.asarray(_array(labels)))


def _items(data: Any) -> tuple[Any, Any]:
    """Take the items of a dataset of torch: pairs of a sample and a label."""
    items = [data[i] for i in range(len(data))]
    if not items or not all(isinstance(one, (tuple, list)) and len(one) == 2 for one in items):
        kind = type(items[0]).__name__ if items else "nothing"
        given = f"a {type(data).__name__} whose items are of type {kind}"
        rows = items and all(isinstance(one, Mapping) for one in items)
        todo = "write pandas.DataFrame(data)" if rows else "write (samples, labels)"
        raise InputError(given, "pairs of a sample and a label", todo)
    samples = [_array(one) for one, _ in items]
    alike = not isinstance(samples[0], str) and len({np.shape(one) for one in samples}) == 1
    labels = np.asarray([_array(label) for _, label in items])
    return (np.stack(samples) if alike else samples), labels


def _array(values: Any) -> Any:
    """Bring a tensor, a picture or a list to numpy; texts and series of several lengths stay."""
    if hasattr(values, "detach"):
        return as_array(values.detach().cpu())
    if hasattr(values, "to_numpy"):
        return values.to_numpy()
    if isinstance(values, (str, bytes, np.ndarray)):
        return values
    if isinstance(values, Sequence):
        if any(isinstance(one, str) for one in values):
            return list(values)
        made = [_array(one) for one in values]
        if made and isinstance(made[0], list) and len(made[0]) > 1:  # rows in which are texts
            return np.array(made, object)
        return np.asarray(made) if len({np.shape(one) for one in made}) <= 1 else made
    return np.asarray(values)
