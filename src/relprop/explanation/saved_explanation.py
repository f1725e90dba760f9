"""Writes an explanation to an .npz file, and reads it back.

Every tensor is an array, for `numpy.load`; a JSON text beside them says which field each belongs
to. Neither can run code. Must not know how relevance is computed.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FileError, InputError
from ..graph.inputs import InputGuard
from ..graph.ir import Head
from ..observe.ledger import Ledger, LedgerEntry
from ..support.file_kinds import file_kind
from ..support.files import refuse_other_formats, write_atomically

if TYPE_CHECKING:
    from .result import Explanation

_FORMAT = 1
_DOCUMENT = "relprop"  # name of the array with the JSON text
_DERIVED = ("prediction", "probabilities", "margin", "amplification")  # for readers without relprop
_RECORDS: Mapping[str, type] = {"ledger": Ledger, "entry": LedgerEntry, "head": Head}
_OF_FIRST = {"inputs": "input", "relevances": "relevance"}
# What a file that is no such archive, a damaged one, or one with other content makes numpy, the
# archive's reader, torch or this module raise.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, MemoryError, NotImplementedError),
    *(KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError),
    *(IndexError, RecursionError),
)

Arrays = dict[str, Any]  # name in the file -> numpy array


def write_explanation(path: Path, explanation: "Explanation") -> None:
    """Write a file, whole or not at all.

    Raises InputError for a path of another format, and for what has no form in a file; FileError
    where the file cannot be written.
    """
    refuse_other_formats(path, (".npz",), "explanation.save")
    arrays: Arrays = {}
    values = {f.name: getattr(explanation, f.name) for f in fields(explanation)}
    document = {name: _write(value, name, arrays) for name, value in values.items()}
    for name in _DERIVED:
        _write(getattr(explanation, name), name, arrays)
    text = json.dumps({"format": _FORMAT, "fields": document})
    arrays[_DOCUMENT] = np.frombuffer(text.encode(), np.uint8)
    with write_atomically(path) as file:
        np.savez_compressed(file, **arrays)


def _write(value: Any, name: str, arrays: Arrays) -> Any:
    """Return the JSON form of a value, and add its tensors to the arrays under names of this."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return {"tensor": _add(value, name, arrays), "dtype": _dtype_name(value)}
    if isinstance(value, tuple):
        return {"tuple": [_write(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]}
    if isinstance(value, Mapping):
        return {"mapping": _write_items(value, name, arrays)}
    for kind, record in _RECORDS.items():
        if type(value) is record:
            items = {f.name: getattr(value, f.name) for f in fields(record)}
            return {kind: _write_items(items, name, arrays)}
    raise InputError(
        f"{name} with a value of type {type(value).__name__}",
        "tensors, numbers and texts, in tuples and mappings",
        "keep the explanation in memory, or save its tensors by torch.save",
    )


def _write_items(items: Mapping[str, Any], name: str, arrays: Arrays) -> dict[str, Any]:
    names = {key: f"{name}/{key}" for key in items}
    if name in _OF_FIRST:
        names[next(iter(items))] = _OF_FIRST[name]
    return {key: _write(value, names[key], arrays) for key, value in items.items()}


def _add(tensor: Tensor, name: str, arrays: Arrays) -> str:
    if name in arrays:
        raise InputError(
            f'two tensors that would both be named "{name}" in a file',
            "names of modules that differ, also where the parts of a tuple are numbered",
            "leave one of the modules out of layers=",
        )
    arrays[name] = _as_array(tensor.detach().cpu())
    return name


def _as_array(tensor: Tensor) -> Any:
    """Convert to numpy; numbers of a dtype that numpy lacks, such as bfloat16, become float32."""
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.to(torch.complex64 if tensor.is_complex() else torch.float32).numpy()


def _dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def read_explanation(path: Path, cls: type["Explanation"]) -> "Explanation":
    """Read a file. Raises FileError if it is missing, or was not written by `write_explanation`."""
    if not os.path.isfile(path):
        folder = os.path.isdir(path)
        raise _no_explanation(path, "it is a folder" if folder else "there is no such file")
    _refuse_other_kind(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if _DOCUMENT not in archive:
                raise _no_explanation(path, f'it has no "{_DOCUMENT}", which says what is what')
            document = json.loads(archive[_DOCUMENT].tobytes())
            if document["format"] != _FORMAT:
                raise _no_explanation(path, f"its format is {document['format']!r}")
            values = {name: _read(form, archive) for name, form in document["fields"].items()}
        values["inputs"] = InputGuard(values["inputs"], tuple(values["inputs"]))
        explanation = cls(**values)
        _check(explanation)
        return explanation
    except FileError:
        raise
    except _DAMAGE as error:
        raise _no_explanation(path, f"{type(error).__name__}: {error}") from error


def _read(form: Any, arrays: Any) -> Any:
    if not isinstance(form, dict):
        return form
    if "tensor" in form:
        return _read_tensor(form, arrays)
    ((kind, value),) = form.items()
    if kind == "tuple":
        return tuple(_read(item, arrays) for item in value)
    items = {key: _read(item, arrays) for key, item in value.items()}
    return items if kind == "mapping" else _RECORDS[kind](**items)


def _read_tensor(form: Mapping[str, Any], arrays: Any) -> Tensor:
    dtype = getattr(torch, form["dtype"])
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{form['dtype']!r} is no dtype")
    return torch.from_numpy(arrays[form["tensor"]]).to(dtype)


def _check(e: "Explanation") -> None:
    """Raise TypeError or ValueError unless the fields have their types and belong together."""
    pairs = [(e.several, bool), (e.layers, dict), *((ledger, Ledger) for ledger in e.ledgers)]
    wrong = [type(given).__name__ for given, expected in pairs if type(given) is not expected]
    if wrong:
        raise TypeError(f"a field of type {', '.join(wrong)}")
    labels = list(e.inputs)
    if not labels or list(e.relevances) != labels:
        raise ValueError(f"inputs {labels}, but relevance of {list(e.relevances)}")
    tensors = [e.output, *e.inputs.values(), *e.relevances.values()]
    tensors += [] if e.target is None else [e.target]
    batches = {tensor.shape[:1] for tensor in tensors}
    if len(batches) > 1 or () in batches:
        raise ValueError(f"tensors of shapes {[tuple(tensor.shape) for tensor in tensors]}")
    for label in labels:
        _check_shapes(e, label)
    _check_targets(e)


def _check_shapes(e: "Explanation", label: str) -> None:
    given, relevance = e.inputs[label].shape, e.relevances[label].shape
    if given[1:] != relevance[2 if e.several else 1 :]:
        raise ValueError(f"{label} of {tuple(given)}, but relevance of {tuple(relevance)}")


def _check_targets(e: "Explanation") -> None:
    """Raise TypeError or ValueError unless there is one number and one name for each target."""
    shape = next(iter(e.relevances.values())).shape[: 1 + e.several]
    if e.score_size.shape != shape or not e.score_size.is_floating_point():
        raise ValueError(f"score_size of {tuple(e.score_size.shape)} and {e.score_size.dtype}")
    count = shape[1] if e.several else 1
    if type(e.targets) is not tuple or not all(isinstance(one, str) for one in e.targets):
        raise TypeError(f"targets = {e.targets!r}")
    if len(e.targets) not in (0, count) or len(e.ledgers) not in (0, count):
        raise ValueError(
            f"targets: {count}, but names: {len(e.targets)}, ledgers: {len(e.ledgers)}"
        )
    if e.logits is not None and e.logits.shape != e.output.shape:
        raise ValueError(f"logits of {tuple(e.logits.shape)}")


def _refuse_other_kind(path: Path) -> None:
    """Raise FileError for a file that is no archive, with the call that reads it."""
    try:
        if zipfile.is_zipfile(path):
            return
        kind = file_kind(path)
    except OSError as error:
        raise _no_explanation(path, error.strerror or str(error)) from error
    todo = f"write {kind.reader}" if kind.reader else ""
    raise _no_explanation(path, f"it is {kind.what}", todo)


def _no_explanation(path: Path, why: str, todo: str = "") -> FileError:
    return FileError(
        f"{path} is no file of an explanation: {why}",
        "what Explanation.save writes",
        todo or "explain and save again; numpy.load may read what the file holds",
    )
