"""Frozen dataclasses as JSON, with the tensors in them apart.

Takes records of plain values, tensors, and other such records. Gives a JSON document and tensors by
name, and the records back. Must not know files or what records mean.
"""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from torch import Tensor

_TENSOR = "tensor"  # key of a JSON object that stands for a tensor: its name

Record = TypeVar("Record")


def flatten_record(record: object) -> tuple[Any, dict[str, Tensor]]:
    """Return a record as a JSON document, and its tensors by name.

    Args:
        record: A dataclass of numbers, text, None, tensors, mappings from text, sequences, and
            other dataclasses. NaN and infinite numbers become None, which JSON has.

    Raises:
        TypeError: It holds anything else.
    """
    tensors: dict[str, Tensor] = {}
    return _flatten(record, "", tensors), tensors


def _flatten(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[name] = value
        return {_TENSOR: name}
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _flatten(one, _inside(name, key), tensors) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_flatten(one, _inside(name, i), tensors) for i, one in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{name} is of type {type(value).__name__}, which JSON does not have")


def _inside(name: str, key: object) -> str:
    return f"{name}.{key}" if name else str(key)


def restore_record(kind: type[Record], document: Any, tensors: Mapping[str, Tensor]) -> Record:
    """Return the record that `flatten_record` made a document of.

    Args:
        kind: Class of the record.
        document: The document.
        tensors: Its tensors by name.

    Raises:
        ValueError: The document or the tensors are not those of such a record.
    """
    restored: Record = _restore(kind, document, tensors, "")
    return restored


def _restore(kind: Any, value: Any, tensors: Mapping[str, Tensor], name: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if kind is Tensor:
        return _restore_tensor(value, tensors, name)
    if is_dataclass(kind):
        return _restore_dataclass(kind, value, tensors, name)
    if origin in (Union, types.UnionType):
        return _restore_union(kind, value, tensors, name)
    if origin is Literal:
        return _checked(value in get_args(kind), value, name)
    if origin is tuple:
        return _restore_tuple(get_args(kind), value, tensors, name)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _checked(isinstance(value, dict), value, name)
        one = get_args(kind)[1]
        return {key: _restore(one, v, tensors, _inside(name, key)) for key, v in value.items()}
    if kind is float:
        return float(_checked(type(value) in (int, float), value, name))
    return _checked(type(value) is kind or (kind is type(None) and value is None), value, name)


def _restore_tensor(value: Any, tensors: Mapping[str, Tensor], name: str) -> Tensor:
    key = value.get(_TENSOR) if isinstance(value, dict) else None
    if not isinstance(key, str) or key not in tensors:
        raise ValueError(f"{name} is no tensor of the file")
    return tensors[key]


def _restore_dataclass(kind: Any, value: Any, tensors: Mapping[str, Tensor], name: str) -> Any:
    hints = {field.name: get_type_hints(kind)[field.name] for field in fields(kind)}
    if not isinstance(value, dict) or value.keys() != hints.keys():
        raise ValueError(f"fields of {name or 'the record'} are missing or unknown")
    return kind(
        **{
            key: _restore(one, value[key], tensors, _inside(name, key))
            for key, one in hints.items()
        }
    )


def _restore_union(kind: Any, value: Any, tensors: Mapping[str, Tensor], name: str) -> Any:
    """Restore by the exact type where there is one: True is no number, 1 no decimal one."""
    kinds = get_args(kind)
    if type(value) in kinds:
        return value
    for one in kinds:
        try:
            return _restore(one, value, tensors, name)
        except ValueError:
            continue
    return _checked(False, value, name)


def _restore_tuple(
    kinds: tuple[Any, ...], value: Any, tensors: Mapping[str, Tensor], name: str
) -> tuple[Any, ...]:
    _checked(isinstance(value, list), value, name)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    _checked(len(kinds) == len(value), value, name)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_restore(one, v, tensors, _inside(name, i)) for i, (one, v) in pairs)


def _checked(fits: bool, value: Any, name: str) -> Any:
    if not fits:
        text = repr(value)
        raise ValueError(f"{name} is {text if len(text) <= 60 else text[:60] + '...'}")
    return value
