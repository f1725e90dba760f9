"""Notes what decides a model's operations: classes, modules, attributes, hooks, and layouts.

Takes a model, gives `Notes`: what is live, beside what it was. Reads the model alone, and compares
nothing. Must not know graphs.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from types import (
    BuiltinFunctionType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    NoneType,
)
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..support.torch_private import (
    global_forward_hooks,
    own_buffers,
    own_modules,
    own_parameters,
    version_of,
)

# Of a longer container, such as a vocabulary, the entries are not compared at each call.
MOST_ENTRIES = 1000
_MOST_NESTED = 8

_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_ATOMS = (
    *(bool, int, float, complex, str, bytes, NoneType, type, PurePath),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size),
    *(FunctionType, BuiltinFunctionType, MethodType),
)
REGISTRIES = ("_modules", "_parameters", "_buffers")
_FORWARD_DICTS = (*REGISTRIES, "_forward_hooks", "_forward_pre_hooks")
_BY_REFERENCE = frozenset(vars(nn.Module())) - {"training", *_FORWARD_DICTS}

# Returns what to compare a value with later: (origin, owner, key, value, depth) -> noted.
_Note = Callable[["Attribute", Any, Any, Any, int], Any]


class Attribute(NamedTuple):
    """An attribute of a module, of an object that a module holds, or of a class.

    Attributes:
        path: Dotted name of the module, of the object in it, or "class ...".
        name: Name of the attribute.
    """

    path: str
    name: str


class Namespace(NamedTuple):
    """The attributes of a module, an object or a class.

    Attributes:
        path: Whose they are.
        live: What they are.
        noted: What they were.
        origin: The attribute of a module that holds the object; None for a module or a class.
    """

    path: str
    live: Mapping[str, Any]
    noted: dict[str, Any]
    origin: Attribute | None


class Held(NamedTuple):
    """An object that is compared by identity.

    Attributes:
        origin: The attribute that holds it, perhaps in a container.
        owner: The container, or the attributes, that it is in.
        key: Where in there.
        value: The object.
        version: Of a tensor, how often it was written into.
    """

    origin: Attribute
    owner: Any
    key: Any
    value: Any
    version: int | None


class Slot(NamedTuple):
    """A parameter or buffer, whose values are free to change, and its layout.

    Attributes:
        origin: Its name.
        registry: The dict of the module that holds it.
        layout: Its shape and dtype; None for None.
    """

    origin: Attribute
    registry: Mapping[str, Tensor | None]
    layout: tuple[torch.Size, torch.dtype] | None


class Slots(Mapping[str, Any]):
    """The attributes of an object that are not in a dict, but in slots of its class, or in C.

    Those of a `functools.partial` are its function and arguments.
    """

    def __init__(self, owner: object) -> None:
        """Find the slots of an object; what is in them is read again each time."""
        self._owner = owner
        self._slots = {
            name: slot
            for cls in reversed(type(owner).__mro__)
            for name, slot in vars(cls).items()
            if isinstance(slot, MemberDescriptorType) and not name.startswith("__")
        }

    @property
    def exist(self) -> bool:
        """Whether there are any, be they filled or not."""
        return bool(self._slots)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._slots[name].__get__(self._owner)
        except AttributeError:  # nothing was put into it
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._slots if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class Notes:
    """Everything that is noted of a model.

    Attributes:
        modules: Path -> module and its class, for each module.
        namespaces: The attributes of modules, of objects in them, and of classes.
        held: Objects that are compared by identity.
        slots: Parameters and buffers.
        empty: Dicts that torch keeps on each module, and that hold nothing.
    """

    modules: dict[str, tuple[nn.Module, type]] = field(default_factory=dict)
    namespaces: list[Namespace] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    empty: list[tuple[Attribute, Mapping[Any, Any]]] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, model: nn.Module) -> "Notes":
        """Note the present attributes of a model, and the hooks that torch runs for all models."""
        notes = cls()
        notes._add_module("", model)
        for hooks in global_forward_hooks():
            notes._add_namespace("hooks of all modules", hooks, notes._enter)
        return notes

    def _add_module(self, path: str, module: nn.Module, registered: bool = True) -> None:
        """Note a module and all in it; whether it is `registered` as a part of the model."""
        if not self._is_new(module):
            return
        self.modules[path] = module, type(module)
        self._add_classes(type(module))
        for registry in (own_parameters(module), own_buffers(module)):
            for name, value in registry.items():
                attribute = Attribute(path, name)
                self.slots.append(Slot(attribute, registry, layout_of(value)))
                if not registered:  # its values are constants of the captured graph
                    self._hold(attribute, registry, name, value)
        self._add_namespace(path, vars(module), self._enter_module)
        for name, inner in list(own_modules(module).items()):
            if inner is not None:
                self._add_module(f"{path}.{name}" if path else name, inner, registered)

    def _add_classes(self, cls: type) -> None:
        for base in cls.__mro__:
            if base not in (nn.Module, object) and self._is_new(base):
                name = f"class {base.__module__}.{base.__qualname__}"
                self._add_namespace(name, vars(base), self._copy)

    def _is_new(self, thing: object) -> bool:
        new = id(thing) not in self._seen
        self._seen.add(id(thing))
        return new

    def _add_namespace(
        self, path: str, live: Mapping[str, Any], note: _Note, origin: Attribute | None = None
    ) -> None:
        noted = {}
        for name, value in list(live.items()):
            source = origin or Attribute(path, name)
            noted[name] = note(source, live, name, value, 0)
        self.namespaces.append(Namespace(path, live, noted, origin))

    def _enter_module(self, origin: Attribute, owner: Any, key: Any, value: Any, depth: int) -> Any:
        """Note an attribute of a module, which may be one that torch keeps on every module."""
        if key in _FORWARD_DICTS and not value:
            self.empty.append((origin, value))
            return value
        if key in REGISTRIES:
            return dict(value)
        return value if key in _BY_REFERENCE else self._enter(origin, owner, key, value, depth)

    def _enter(self, origin: Attribute, owner: Any, key: Any, value: Any, depth: int) -> Any:
        """Note what a module holds: an object with its attributes, and modules in a list."""
        if isinstance(value, (*_ATOMS, *_CONTAINERS, Tensor, nn.Module)):
            return self._copy(origin, owner, key, value, depth, self._enter)
        self._hold(origin, owner, key, value)
        self._add_attributes(origin, key, value)
        return value

    def _add_attributes(self, origin: Attribute, key: Any, value: Any) -> None:
        """Note the attributes of an object that is no module; of a partial function, all in it."""
        if not self._is_new(value):
            return
        path, note = _path(origin, key), self._enter if isinstance(value, partial) else self._copy
        if hasattr(value, "__dict__"):
            self._add_namespace(path, vars(value), note, origin)
        slots = Slots(value)
        if slots.exist:
            self._add_namespace(path, slots, note, origin)

    def _copy(
        self,
        origin: Attribute,
        owner: Any,
        key: Any,
        value: Any,
        depth: int,
        note: _Note | None = None,
    ) -> Any:
        """Return a value itself, or a copy of a container that is not too long.

        Tensors and modules are noted, wherever they are.
        """
        if isinstance(value, nn.Module):
            self._add_module(_path(origin, key), value, registered=False)
        if isinstance(value, Tensor):
            self._hold(origin, owner, key, value)
        if not isinstance(value, _CONTAINERS):
            return value
        if type(value) not in (*_CONTAINERS, OrderedDict, torch.Size):  # it may hold more
            self._add_attributes(origin, key, value)
        return self._copy_entries(origin, value, depth, note or self._copy)

    def _copy_entries(self, origin: Attribute, value: Any, depth: int, note: _Note) -> Any:
        """Copy a container, as plain Python's, by its entries and not by a subclass's methods."""
        kind: Any = next(one for one in _CONTAINERS if isinstance(value, one))
        if kind.__len__(value) > MOST_ENTRIES or depth > _MOST_NESTED:
            return value
        if kind in (set, frozenset):
            return set(value)
        if kind is dict:
            items = list(dict.items(value))
            return {k: note(origin, value, k, v, depth + 1) for k, v in items}
        return kind(
            [note(origin, value, i, v, depth + 1) for i, v in enumerate(kind.__iter__(value))]
        )

    def _hold(self, origin: Attribute, owner: Any, key: Any, value: Any) -> None:
        self.held.append(Held(origin, owner, key, value, version_or_none(value)))


def _path(origin: Attribute, key: Any) -> str:
    return f"{origin.path}.{origin.name}[{key!r}]"


def layout_of(value: Tensor | None) -> tuple[torch.Size, torch.dtype] | None:
    """Return shape and dtype."""
    return None if value is None else (value.shape, value.dtype)


def version_or_none(value: Any) -> int | None:
    """Return how often a tensor was written into; None where torch does not count that."""
    counted = isinstance(value, Tensor) and not value.is_inference()
    return version_of(value) if counted else None
