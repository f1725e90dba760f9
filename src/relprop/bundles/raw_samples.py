"""Samples as a user has them, made to samples as a data set holds them.

Takes pictures, texts, series, or rows in any of their usual forms. Gives `Samples` of one modality.
Must not know networks or preparations.

    n  samples      h, w, c  height, width and channels of a picture
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Resize
from ..data.sources.arrays import as_array
from ..data.sources.picture_sizes import fit_picture
from ..data.sources.pictures import decode_picture
from ..data.sources.series import fill_gaps
from ..data.sources.table_layout import unique_names
from ..errors import InputError
from ..preprocess.pictures import Pictures, read_picture
from ..support.extras import needs

if TYPE_CHECKING:
    from pandas import DataFrame

_COLOURS = (1, 3)  # channels of pictures that can be converted to each other


def picture_samples(
    raw: Any, shape: tuple[int, int, int], resize: Resize = "crop"
) -> NDArray[np.uint8]:
    """Return pictures as uint8 (n, h, w, c).

    Args:
        raw: A picture, or several: paths, PIL pictures, arrays (h, w) or (h, w, c) of uint8 or of
            floats from 0 to 1, an array (n, h, w, c), or (n, h, w) of grey ones.
        shape: (c, h, w) of the pictures that were fitted. Others are resized to it; colours and
            grey are converted.
        resize: How they are resized, as in `DataOptions`.

    Raises:
        InputError: Something that is no picture, or has other channels.
        FileError: A file cannot be read.
    """
    channels, height, width = shape
    listed = _listed_pictures(raw, channels)
    if channels not in _COLOURS:
        return _own_channels(listed, shape)
    from PIL import Image

    steps = Pictures(None, (0.0,) * channels, (1.0,) * channels)
    made = []
    for one in listed:
        values = (steps.values(_decoded(one)) * 255).round().byte()  # (c, h, w)
        picture = Image.fromarray(values.permute(1, 2, 0).squeeze(2).contiguous().numpy())
        made.append(np.asarray(fit_picture(picture, (width, height), resize)))
    return np.stack(made).reshape(-1, height, width, channels)


def _listed_pictures(raw: Any, channels: int) -> list[Any]:
    if isinstance(raw, Tensor):
        given = f"pictures as a tensor {tuple(raw.shape)}"
        todo = "write bundle.model(x) for a prepared tensor, or x.permute(0, 2, 3, 1).numpy()"
        raise InputError(given, "paths, PIL pictures, or arrays (n, height, width, channels)", todo)
    several = isinstance(raw, (list, tuple))
    if isinstance(raw, np.ndarray):
        grey_batch = raw.ndim == 3 and channels == 1 and raw.shape[2] not in _COLOURS
        several = raw.ndim == 4 or grey_batch
    listed = list(raw) if several else [raw]
    if not listed:
        raise InputError("no pictures", "one at least", "give the path of a picture")
    return listed


def _decoded(one: Any) -> Any:
    """Decode files and PIL pictures as those that were trained on; arrays stay."""
    if isinstance(one, (str, Path)):
        one = read_picture(one)
    return decode_picture(one) if hasattr(one, "getexif") else one


def _own_channels(listed: Sequence[Any], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Stack arrays of as many channels as no picture file has."""
    channels, height, width = shape
    for one in listed:
        found = one.shape if isinstance(one, np.ndarray) else type(one).__name__
        if found != (height, width, channels) or one.dtype != np.uint8:
            given = f"a picture of {found}"
            allowed = f"uint8 arrays of shape ({height}, {width}, {channels})"
            raise InputError(given, allowed, "make it as the pictures that the model was fitted to")
    return np.stack(listed)


def text_samples(raw: Any) -> NDArray[np.object_]:
    """Return texts as an array of strings, (n,).

    Args:
        raw: A text, or several: a list, an array, a column of a frame.

    Raises:
        InputError: It is something else.
    """
    listed = [raw] if isinstance(raw, str) else raw
    if hasattr(raw, "columns"):  # to go through it is to go through the names of its columns
        name = next(iter(raw.columns), "text")
        given, allowed = f"texts as a {type(raw).__name__}", "a str, or a list of them"
        raise InputError(given, allowed, f"give one of its columns: frame[{name!r}]")
    if isinstance(listed, Mapping) or not hasattr(listed, "__iter__"):
        listed = [listed]
    texts = list(listed)
    wrong = [one for one in texts if not isinstance(one, str)]
    if wrong or not texts:
        given = "no texts" if not texts else f"a text of type {type(wrong[0]).__name__}"
        raise InputError(given, "a str, or a list of them", 'write ["first text", "second text"]')
    return np.array(texts, dtype=object)


def series_samples(raw: Any, channels: int) -> NDArray[np.object_]:
    """Return time series as an array of float32 arrays (channels, time).

    Args:
        raw: A series, or several: an array (n, channels, time), or a list of arrays (channels,
            time), whose lengths may differ. Of one channel (time,) and (n, time), too.
        channels: Number of channels.

    Raises:
        InputError: It is something else.
    """
    listed = list(raw) if _are_several_series(raw, channels) else [raw]
    if not listed:
        raise InputError("no series", "one at least", "give an array (channels, time)")
    return np.fromiter((_series(one, channels) for one in listed), object, len(listed))


def _are_several_series(raw: Any, channels: int) -> bool:
    """Tell several series from one."""
    if isinstance(raw, np.ndarray) and raw.dtype != object:
        return raw.ndim == 3 or (raw.ndim == 2 and channels == 1)
    listed = isinstance(raw, (list, tuple, np.ndarray))
    return listed and (not len(raw) or any(np.ndim(one) > 0 for one in raw))


def _series(one: Any, channels: int) -> NDArray[np.float32]:
    """Return a series as float32 (channels, time)."""
    allowed = f"numbers of shape ({channels}, time)"
    try:
        values = np.asarray(one, dtype=np.float32)
    except (TypeError, ValueError) as error:
        given = f"a series of type {type(one).__name__} that is no array of numbers"
        raise InputError(given, allowed, "write numpy.array(series, dtype='float32')") from error
    if values.ndim == 1 and channels == 1:
        values = values[None]
    if values.ndim != 2 or values.shape[0] != channels or not values.shape[1]:
        todo = "transpose it: series.T" if values.shape[1:] == (channels,) else "give all channels"
        raise InputError(f"a series of shape {values.shape}", allowed, todo)
    return fill_gaps(values)[0]  # as in training


def table_samples(raw: Any, columns: Sequence[str] = (), width: int | None = None) -> "DataFrame":
    """Return rows of a table as a frame.

    Args:
        raw: A DataFrame; a row as a mapping from columns to values; columns as a mapping to lists;
            a list of rows; or the path of a table. An array (n, columns), or of one row, where
            columns have no names.
        columns: Names of the columns that are needed.
        width: How many columns arrays have; None: columns have names.

    Raises:
        InputError: It is something else, or has no row.
        FileError: A file cannot be read.
    """
    with needs("fit", "tables"):
        import pandas
    if hasattr(raw, "columns") and hasattr(raw, "to_pandas"):  # of polars
        raw = raw.to_pandas()
    if isinstance(raw, pandas.DataFrame):
        frame = raw
    elif isinstance(raw, (str, Path)):
        frame = _read(Path(raw), columns)
    elif isinstance(raw, pandas.Series):
        frame = pandas.DataFrame([raw.to_dict()])
    elif isinstance(raw, Mapping):
        lists = any(isinstance(v, (list, tuple, np.ndarray, pandas.Series)) for v in raw.values())
        frame = _of_columns(raw) if lists else pandas.DataFrame([raw])
    elif isinstance(raw, (list, tuple)) and all(isinstance(row, Mapping) for row in raw):
        frame = pandas.DataFrame(list(raw))
    else:
        frame = _of_array(raw, width)
    if not len(frame):
        raise InputError("a table without rows", "a row at least", "give another table")
    return frame.set_axis(list(unique_names(list(map(str, frame.columns)))), axis=1)


def _of_array(raw: Any, width: int | None) -> "DataFrame":
    """Name the columns of an array as those of the array that was fitted."""
    import pandas

    if width is None or not isinstance(raw, (np.ndarray, Tensor, list, tuple)):
        given, allowed = f"rows as a {type(raw).__name__}", "a DataFrame, mappings, or a path"
        raise InputError(given, allowed, "write pandas.DataFrame(rows, columns=names)")
    values = as_array(raw.detach().cpu()) if isinstance(raw, Tensor) else np.asarray(raw)
    rows = values[None] if values.ndim == 1 else values.reshape(len(values), -1)
    if rows.shape[1] != width:
        allowed = f"({width},) or (n, {width}): the columns that were fitted, in their order"
        todo = "give all columns, without the target"
        raise InputError(f"rows as an array of shape {values.shape}", allowed, todo)
    return pandas.DataFrame(rows, columns=[f"column {i + 1}" for i in range(width)])


def _of_columns(raw: Mapping[Any, Any]) -> "DataFrame":
    import pandas

    lengths = {name: len(of) for name, of in raw.items() if np.ndim(of)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in list(lengths.items())[:6])
        given, allowed = (
            f"columns of several lengths: {shown}",
            "a value of each row in each column",
        )
        raise InputError(given, allowed, "write float('nan') where a value is not known")
    return pandas.DataFrame(raw)


def _read(path: Path, columns: Sequence[str]) -> "DataFrame":
    from ..data.memory import limit_of
    from ..data.sources.tables import read_table_file

    only = columns[0] if len(columns) == 1 else None
    frame: DataFrame = read_table_file(path, limit_of(None, 0), only=only).samples
    return frame
