"""Notes what decides a model's operations: classes, modules, attributes, hooks, and layouts.

Takes a model, gives `Notes`: what is live, beside what it was. Reads the model alone, and compares
nothing. Must not know graphs.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType, MethodType, NoneType
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

_CONTAINERS = (list, tuple, dict, OrderedDict, set, frozenset)
_ATOMS = (
    *(bool, int, float, complex, str, bytes, NoneType, type),
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
        if isinstance(value, (*_ATOMS, Tensor, nn.Module)) or type(value) in _CONTAINERS:
            return self._copy(origin, owner, key, value, depth, self._enter)
        self._hold(origin, owner, key, value)
        if hasattr(value, "__dict__") and self._is_new(value):
            self._add_namespace(_path(origin, key), vars(value), self._copy, origin)
        return value

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
        note = note or self._copy
        if isinstance(value, nn.Module):
            self._add_module(_path(origin, key), value, registered=False)
        if isinstance(value, Tensor):
            self._hold(origin, owner, key, value)
        if type(value) not in _CONTAINERS or len(value) > MOST_ENTRIES or depth > _MOST_NESTED:
            return value
        if isinstance(value, (set, frozenset)):
            return set(value)
        if isinstance(value, dict):
            return {k: note(origin, value, k, v, depth + 1) for k, v in list(value.items())}
        items = [note(origin, value, i, v, depth + 1) for i, v in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)

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
