"""The configuration of a model: all that decides its operations, beside the inputs of a call.

Takes a model. Lists what has changed since, and prepares what `explanation.program_cache` compares
at each call. Reads the model alone; must not know graphs.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..support.torch_private import own_buffers, own_parameters
from .attributes import (
    REGISTRIES,
    Attribute,
    Held,
    Namespace,
    Notes,
    Slot,
    layout_of,
    version_or_none,
)

_TENSORS = ("_parameters", "_buffers")


class Configuration:
    """A model's configuration at one moment.

    Compared are numbers, texts, functions, and lists, tuples, sets, dicts and deques of them by
    `==`, also those of subclasses; any other object by identity, and its attributes, in a dict or
    in slots, by the same rules, one object deep; tensors that are no parameters or buffers by
    identity and by torch's count of writes.
    """

    def __init__(self, model: nn.Module, ignored: frozenset[Attribute] = frozenset()) -> None:
        """Note the model's present configuration.

        Args:
            model: The model.
            ignored: Attributes that are not compared.
        """
        self._notes = Notes.of(model)
        self._ignored = ignored
        self.comparison = _prepare(self._notes, ignored)

    def is_current(self) -> bool:
        """Tell whether the model has this configuration now; `comparison` is there to be quick."""
        if self.changes():
            return False
        self._note_again()
        return True

    def changes(self) -> frozenset[Attribute]:
        """List the attributes that differ now."""
        notes = self._notes
        changed = {name for space in notes.namespaces for name in _changed_names(space)}
        changed |= {attribute for attribute, added in notes.empty if added}
        changed |= {held.origin for held in notes.held if not _is_same_object(held)}
        # Of parameters and buffers the layout counts, whichever tensors these are.
        changed = {attribute for attribute in changed if attribute.name not in _TENSORS}
        changed |= {slot.origin for slot in notes.slots if not _is_same_layout(slot)}
        noted = {slot.origin for slot in notes.slots}
        for path, (module, cls) in notes.modules.items():
            changed |= {Attribute(path, "__class__")} if type(module) is not cls else set()
            names = (*own_parameters(module), *own_buffers(module))
            changed |= {Attribute(path, name) for name in names} - noted
        return frozenset(changed) - self._ignored

    def ignore(self, attributes: Iterable[Attribute]) -> None:
        """Compare these attributes no longer, such as those that forward itself writes."""
        self._ignored |= frozenset(attributes)
        self.comparison = _prepare(self._notes, self._ignored)

    def _note_again(self) -> None:
        """Note what may change: tensors of the same layout, and what Python adds to a class.

        It adds, for one, the names of slots when deepcopy asks for them.
        """
        notes = self._notes
        for space in notes.namespaces:
            if space.path in notes.modules and space.origin is None:
                space.noted.update({name: dict(space.live[name]) for name in REGISTRIES})
            elif space.path.startswith("class "):
                space.noted.update({n: v for n, v in space.live.items() if _is_internal(n)})
        notes.empty = [(attribute, added) for attribute, added in notes.empty if not added]
        self.comparison = _prepare(notes, self._ignored)


class ComparedLists(NamedTuple):
    """What is live beside what was noted, as parallel lists, which C functions can walk.

    Attributes:
        modules: All modules.
        classes: Their classes.
        live: Attributes of modules, objects and classes.
        noted: What they were.
        partial: The same where some are ignored: names of these, what is live, what was noted.
        held_in: Where objects are that are compared by identity.
        held_at: Their keys in there.
        held: These objects.
        tensors: The tensors among them.
        versions: How often each was written into.
        empty: Dicts that held nothing.
        slots_in: The dict of each parameter and buffer.
        slots_at: Its key.
        shapes: Its shape.
        first_in: The dict of the first parameter or buffer of each module.
        first_at: Its key.
        dtypes: Its dtype, by which those of all are known: a module is converted as a whole.
    """

    modules: list[nn.Module]
    classes: list[type]
    live: list[Mapping[str, Any]]
    noted: list[dict[str, Any]]
    partial: list[tuple[frozenset[str], Mapping[str, Any], dict[str, Any]]]
    held_in: list[Any]
    held_at: list[Any]
    held: list[Any]
    tensors: list[Tensor]
    versions: list[int]
    empty: list[Mapping[str, Any]]
    slots_in: list[Mapping[str, Any]]
    slots_at: list[str]
    shapes: list[torch.Size]
    first_in: list[Mapping[str, Any]]
    first_at: list[str]
    dtypes: list[torch.dtype]


def _prepare(notes: Notes, ignored: frozenset[Attribute]) -> ComparedLists:
    """List what is compared, without what is ignored and what objects in there hold."""
    spaces = [space for space in notes.namespaces if space.origin not in ignored]
    names = {space.path: _names_at(space.path, ignored) for space in spaces}
    whole = [space for space in spaces if not names[space.path]]
    parts = [space for space in spaces if names[space.path]]
    held = [one for one in notes.held if one.origin not in ignored]
    counted = [one for one in held if one.version is not None]
    slots = [slot for slot in notes.slots if slot.layout and slot.origin not in ignored]
    first = list({slot.origin.path: slot for slot in reversed(slots)}.values())
    return ComparedLists(
        modules=[module for module, _ in notes.modules.values()],
        classes=[cls for _, cls in notes.modules.values()],
        live=[space.live for space in whole],
        noted=[space.noted for space in whole],
        partial=[(names[s.path], s.live, _without(s.noted, names[s.path])) for s in parts],
        held_in=[one.owner for one in held],
        held_at=[one.key for one in held],
        held=[one.value for one in held],
        tensors=[one.value for one in counted],
        versions=[one.version for one in counted if one.version is not None],
        empty=[empty for _, empty in notes.empty],
        slots_in=[slot.registry for slot in slots],
        slots_at=[slot.origin.name for slot in slots],
        shapes=[slot.layout[0] for slot in slots if slot.layout],
        first_in=[slot.registry for slot in first],
        first_at=[slot.origin.name for slot in first],
        dtypes=[slot.layout[1] for slot in first if slot.layout],
    )


def _names_at(path: str, attributes: Iterable[Attribute]) -> frozenset[str]:
    return frozenset(attribute.name for attribute in attributes if attribute.path == path)


def _without(noted: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in noted.items() if name not in names}


def _changed_names(space: Namespace) -> Iterable[Attribute]:
    """List the attributes of one module, object or class that differ now."""
    for name in {*space.live, *space.noted}:
        internal = space.path.startswith("class ") and _is_internal(name)
        if not internal and not _is_equal(space, name):
            yield Attribute(space.path, name)


def _is_internal(name: str) -> bool:
    """Tell whether the attribute of a class is one that Python keeps for itself."""
    return name.startswith("__") and name != "__call__"


def _is_equal(space: Namespace, name: str) -> bool:
    try:
        live, noted = space.live[name], space.noted[name]
        return live is noted or bool(live == noted)
    except Exception:  # a name that is gone, or `==` that gives no truth value
        return False


def _is_same_object(held: Held) -> bool:
    try:
        same = held.owner[held.key] is held.value
    except Exception:  # it is gone
        return False
    return same and version_or_none(held.value) == held.version


def _is_same_layout(slot: Slot) -> bool:
    name = slot.origin.name
    return name in slot.registry and layout_of(slot.registry[name]) == slot.layout
