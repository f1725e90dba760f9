"""Describes a model in words that a file can hold, to tell another model from it.

Takes a model, gives the class and the attributes of each module as text. Values that have no text
that is the same in another session, such as paths of files, are left out.
"""

from collections import OrderedDict
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any

import torch
from torch import Tensor, nn

from .attributes import MOST_ENTRIES, Attribute, Notes

# Path of a module, or of an object in it -> attribute -> its text; "class" for the class.
Description = Mapping[str, Mapping[str, str]]


def describe_model(model: nn.Module, ignored: frozenset[Attribute] = frozenset()) -> Description:
    """Describe a model.

    Args:
        model: The model.
        ignored: Attributes to leave out, such as those that forward itself writes.
    """
    notes, described = Notes.of(model), dict[str, Mapping[str, str]]()
    for space in notes.namespaces:
        is_module = space.path in notes.modules and space.origin is None
        if space.origin in ignored or not (is_module or space.origin):
            continue
        texts = {
            name: _text(value)
            for name, value in list(space.live.items())
            if Attribute(space.path, name) not in ignored and (is_module or name[0] != "_")
        }
        known = {"class": notes.modules[space.path][1].__qualname__} if is_module else {}
        known |= described.get(space.path, {})  # an object may have slots beside its dict
        described[space.path] = {**known, **{n: t for n, t in texts.items() if t is not None}}
    return described


def model_difference(saved: Description, now: Description) -> str:
    """Name the first difference of two models, "" if there is none.

    Attributes that one of them alone has do not count: versions of torch add some.
    """
    for path in (*saved, *(path for path in now if path not in saved)):
        if path not in saved or path not in now:
            return (
                f'"{path}", which only the ' + ("present" if path in now else "saved") + " one has"
            )
        for name in (name for name in saved[path] if name in now[path]):
            was, is_now = saved[path][name], now[path][name]
            if was != is_now:
                return f'{name} of "{path}", which is {is_now} and was {was}'
    return ""


def _text(value: Any) -> str | None:
    """Write a value in words; None for one that has no words of its own."""
    if isinstance(value, str):
        return None if "/" in value or "\\" in value or len(value) > MOST_ENTRIES else repr(value)
    if isinstance(value, (bool, int, float, complex, NoneType, torch.dtype)):
        return repr(value)
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return value.__name__
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    if type(value) in (list, tuple, dict, OrderedDict, set, frozenset):
        return _text_of_container(value) if len(value) <= MOST_ENTRIES else None
    return None


def _text_of_container(value: Any) -> str | None:
    is_dict = isinstance(value, dict)
    texts = [_text(item) for pair in value.items() for item in pair] if is_dict else None
    words = [text for text in texts or map(_text, value) if text is not None]
    if len(words) < len(value) * (1 + is_dict):
        return None
    words = sorted(words) if isinstance(value, (set, frozenset)) else words
    return f"{type(value).__name__}({', '.join(words)})"
