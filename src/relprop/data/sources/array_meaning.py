"""Decides what arrays are - pictures, rows, series - by their shapes and types.

Takes arrays with labels. Gives samples in the form of a Dataset, and why. Must not know files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..dataset import Finding, Modality
from ..raw import RawData, objects
from ..words import counted
from .series import fill_gaps, filled_note

_EXAMINED = 100  # first samples, of which one that is a text tells that all are
_CHANNELS = (1, 3, 4)
_SMALLEST = 8  # pixels of a side, from which whole numbers up to 255 are pictures


@dataclass(frozen=True)
class ArrayPart:
    """Samples and labels of one part.

    Attributes:
        name: "train", "validation", "test", or "".
        samples: An array whose first dimension is the sample, or a sequence of arrays.
        labels: Of each sample.
    """

    name: str
    samples: Any
    labels: NDArray[Any]


def raw_of_arrays(parts: Sequence[ArrayPart], modality: Modality | None, source: object) -> RawData:
    """Make samples of arrays.

    Args:
        parts: All with samples of the same dimensions.
        modality: What they are, where the user says so; None: their shape decides.
        source: Where they are from, for errors.

    Raises:
        InputError: Shapes do not fit, or are those of nothing known.
    """
    for part in parts:
        if not len(part.labels):
            raise InputError(f"{source} has no samples", "a sample at least", "give other data")
        if len(part.samples) != len(part.labels):
            given = f"{source} has {len(part.samples):,} samples and {len(part.labels):,} labels"
            raise InputError(given, "a label for each sample", "look at the arrays")
    labels = np.concatenate([_flat_labels(_decoded(part.labels), source) for part in parts])
    names = np.repeat([part.name for part in parts], [len(part.labels) for part in parts])
    known = {part.name for part in parts} - {""}
    if known - {"train"}:  # X, y, X_test, y_test: beside a test part, the rest is to be trained on
        names, known = (
            np.where(names == "", "train", names),
            {*known, *(p.name or "train" for p in parts)},
        )
    keys = [f"{part.name or 'sample'} {i}" for part in parts for i in range(len(part.labels))]
    samples, found, findings, warnings = _meaning(
        [part.samples for part in parts], modality, source
    )
    columns = (
        ("target",) if labels.ndim == 1 else tuple(f"label {i}" for i in range(labels.shape[1]))
    )
    if found == "table":  # its columns are looked at as those of any table
        samples = samples.assign(
            **dict(zip(columns, labels.reshape(len(labels), -1).T, strict=True))
        )
    return RawData(
        modality=found,
        samples=samples,
        keys=keys,
        labels=None if found == "table" else labels,
        targets=columns if found == "table" else (),
        official=names.astype("<U10") if len(known) > 1 else np.full(len(labels), "", "<U10"),
        findings=tuple(findings),
        warnings=tuple(warnings),
    )


def _decoded(array: NDArray[Any]) -> NDArray[Any]:
    """Make texts of bytes, which HDF5 and others have for them."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(array, "latin-1")


def _flat_labels(labels: NDArray[Any], source: object) -> NDArray[Any]:
    """Take labels out of one column, or of columns of 0 and 1 with a single 1 in each row."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    yes_or_no = labels.ndim == 2 and labels.dtype.kind in "biuf" and np.isin(labels, (0, 1)).all()
    if yes_or_no and (labels.sum(axis=1) == 1).all():
        return np.asarray(labels.argmax(axis=1))
    if labels.ndim != 1 and not yes_or_no:
        given = f"labels of the shape {labels.shape} in {source}"
        allowed = "a label for each sample, (n,), or labels of 0 and 1, (n, labels)"
        raise InputError(given, allowed, "give (n,)")
    return labels


_Meaning = tuple[Any, Modality, list[Finding], list[str]]


def _meaning(parts: Sequence[Any], modality: Modality | None, source: object) -> _Meaning:
    first = parts[0]
    if modality in (None, "table") and _is_mixed(first):
        return _mixed_rows(parts), "table", [], []
    if not isinstance(first, np.ndarray) or first.dtype == object:
        return _sequences([one for part in parts for one in part], source)
    samples = np.concatenate([np.asarray(part) for part in parts])
    samples = _decoded(samples)
    if samples.dtype.kind == "U" and samples.size == len(samples):
        return _texts(samples.ravel().tolist(), "an array of texts")
    if samples.dtype.kind not in "biuf":
        given = f"samples of the type {samples.dtype} in {source}"
        raise InputError(given, "numbers or texts", "give numbers")
    found = modality or _by_shape(samples, source)
    reason = "given" if modality else f"an array of shape {samples.shape}, {samples.dtype}"
    made, findings, warnings = _MAKERS[found](samples, source)
    first = [] if found == "table" else [Finding("modality", found, reason)]
    return made, found, [*first, *findings], warnings


def _is_mixed(samples: Any) -> bool:
    """Tell whether samples are rows in which are texts."""
    rows = isinstance(samples, np.ndarray) and samples.ndim == 2 and samples.shape[1] > 1
    return rows and samples.dtype.kind in "OUS"


def _mixed_rows(parts: Sequence[Any]) -> Any:
    """Make a table of rows in which are texts."""
    import pandas

    rows = np.concatenate([_decoded(part).astype(object) for part in parts])
    return pandas.DataFrame(rows, columns=_numbered(rows.shape[1])).infer_objects()


def _numbered(width: int) -> list[str]:
    return [f"column {i + 1}" for i in range(width)]


def _by_shape(samples: NDArray[Any], source: object) -> Modality:
    if samples.ndim == 2:
        return "table"
    if samples.ndim == 4:
        return "picture"
    if samples.ndim == 3:
        return "picture" if _is_pixels(samples) else "series"
    raise InputError(
        f"samples of the shape {samples.shape} in {source}",
        "(n, features), (n, channels, time), (n, height, width), or pictures with channels",
        "give samples of such a shape",
    )


def _is_pixels(samples: NDArray[Any]) -> bool:
    """Tell grey pictures, (n, height, width), from series, (n, channels, time)."""
    sides = samples.shape[1:]
    whole = samples.dtype.kind == "u" or (samples.dtype.kind == "i" and samples.min() >= 0)
    return whole and min(sides) >= _SMALLEST and max(sides) <= 4 * min(sides)


_Made = tuple[Any, list[Finding], list[str]]


def _rows(samples: NDArray[Any], source: object) -> _Made:
    import pandas

    flat = samples.reshape(len(samples), -1).astype(np.float64)
    return pandas.DataFrame(flat, columns=_numbered(flat.shape[1])), [], []


def _pictures(samples: NDArray[Any], source: object) -> _Made:
    """Bring pictures to bytes, (n, height, width, channels)."""
    if samples.ndim == 2 and (side := round(samples.shape[1] ** 0.5)) ** 2 == samples.shape[1]:
        samples = samples.reshape(len(samples), side, side)
    if samples.ndim == 3:
        samples = samples[..., None]
    if samples.ndim != 4:
        given = f"pictures of the shape {samples.shape} in {source}"
        raise InputError(
            given, "(n, height, width) or (n, height, width, channels)", "reshape them"
        )
    findings, order = [], "height, width, channels"
    if samples.shape[3] not in _CHANNELS and samples.shape[1] in _CHANNELS:
        samples, order = samples.transpose(0, 2, 3, 1), "channels, height, width"
    if samples.shape[3] not in _CHANNELS:
        given = f"pictures of the shape {samples.shape} in {source}"
        raise InputError(given, "1, 3 or 4 channels, first or last", "give such pictures")
    pixels, how = _to_bytes(samples, source)
    n, height, width, channels = pixels.shape
    findings.append(Finding("pictures", f"{n:,}, {height} x {width}, {channels} channels", order))
    warnings = []
    if channels == 4:
        pixels = pixels[..., :3]
        warnings.append("Pictures have four channels: the fourth, transparency, is left out.")
    if how:
        findings.append(Finding("values", "0 to 255", how))
    return np.ascontiguousarray(pixels), findings, warnings


def _to_bytes(samples: NDArray[Any], source: object) -> tuple[NDArray[np.uint8], str]:
    if samples.dtype == np.uint8:
        return samples, ""
    low, high = float(samples.min()), float(samples.max())
    whole = samples.dtype.kind in "biu" or bool((samples == np.round(samples)).all())
    if low >= 0 and high <= 255 and whole and (high > 1 or samples.dtype.kind != "f"):
        return samples.astype(np.uint8), ""
    if low >= -1 and high <= 1:
        offset = 0.0 if low >= 0 else 1.0
        scaled = (samples.astype(np.float32) + offset) * (255 / (1 + offset))
        return scaled.round().astype(np.uint8), f"from {low:g} to {high:g}, rounded to bytes"
    given = f"pictures with values from {low:g} to {high:g} in {source}"
    raise InputError(given, "bytes, 0 to 1, or -1 to 1", "give bytes, or write --modality series")


def _series(samples: NDArray[Any], source: object) -> _Made:
    """Bring series to (channels, time) each: time is the longer side."""
    made = samples.astype(np.float32).reshape(len(samples), -1, samples.shape[-1])
    reason = "samples, channels, time"
    if samples.ndim == 2:
        reason = "samples, time"
    elif made.shape[1] > made.shape[2]:
        made, reason = made.swapaxes(1, 2), "samples, time, channels: time is the longer side"
    _, channels, time = made.shape
    shape = f"{len(made):,}, {channels} channels, {time} steps"
    filled, warnings = _without_gaps([*np.ascontiguousarray(made)])
    return objects(filled), [Finding("series", shape, reason)], warnings


def _without_gaps(series: Sequence[NDArray[np.float32]]) -> tuple[list[Any], list[str]]:
    """Fill missing values as in series of files, and say so."""
    made = [fill_gaps(one) for one in series]
    return [one for one, _ in made], list(filled_note(sum(count for _, count in made)))


_MAKERS = {"table": _rows, "picture": _pictures, "series": _series}


def _texts(samples: Sequence[Any], reason: str) -> _Meaning:
    """Take texts; one that is missing is empty, as in a table."""
    made = ["" if one is None or one != one else str(one) for one in samples]
    empty = sum(not text.strip() for text in made)
    warnings = [f"{counted(empty, 'text')} without a word: empty."] if empty else []
    return objects(made), "text", [Finding("modality", "text", reason)], warnings


def _sequences(samples: Sequence[Any], source: object) -> _Meaning:
    """Take texts, or series of different lengths."""
    if any(isinstance(one, str) for one in samples[:_EXAMINED]):
        return _texts(samples, "texts")
    arrays = [_as_series(one, source) for one in samples]
    channels = {len(one) for one in arrays}
    if len(channels) > 1 or any(one.ndim != 2 for one in arrays):
        given = f"series of {len(channels)} different numbers of channels in {source}"
        raise InputError(given, "(channels, time) each, with the same channels", "reshape them")
    lengths = [one.shape[1] for one in arrays]
    if not min(lengths):
        given = f"series {lengths.index(0)} in {source} has no step"
        raise InputError(given, "a step at least in each", "leave it out, and its label")
    shape = f"{len(arrays):,}, {len(arrays[0])} channels, {min(lengths)} to {max(lengths)} steps"
    findings = [Finding("modality", "series", "arrays of different lengths")]
    findings.append(Finding("series", shape, "channels, time"))
    filled, warnings = _without_gaps(arrays)
    return objects(filled), "series", findings, warnings


def _as_series(sample: Any, source: object) -> NDArray[np.float32]:
    try:
        return np.atleast_2d(np.asarray(sample, np.float32))
    except (TypeError, ValueError) as error:
        given = f"a sample of type {type(sample).__name__} in {source} that is no array of numbers"
        todo = "write pandas.DataFrame(rows) for rows of a table"
        raise InputError(given, "texts, or numbers of shape (channels, time)", todo) from error
