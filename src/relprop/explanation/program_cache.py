"""Caches captured graphs, and the programs built from them, by the shapes of a model's inputs.

Takes a model and inputs, gives a `BuiltProgram`. May be used from several threads.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch
from torch import nn

from ..graph.inputs import Inputs
from ..recipes.recipe import Recipe
from ..support.torch_private import own_modules

if TYPE_CHECKING:  # loaded at the first capture, so that `import relprop` stays quick
    from ..capture.model import CapturedModel
    from .build import BuiltProgram

# Each text length or picture size is a program of its own. A bound, so that a service that meets
# ever new lengths does not fill its memory; wide enough for the buckets that one batches texts by.
MOST_SHAPES = 64

_CAPTURE = threading.Lock()  # torch.export keeps global state while it reads a model

V = TypeVar("V")


class RecentItems(Generic[V]):
    """A mapping that keeps the items that were used last. May be used from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: dict[Any, V] = {}  # the one used last is at the end
        self._lock = threading.Lock()

    def get(self, key: Any) -> V | None:
        """Return an item, or None; it is now the one used last."""
        with self._lock:
            item = self._items.pop(key, None)
            if item is not None:
                self._items[key] = item
        return item

    def put(self, key: Any, item: V) -> None:
        """Store an item, and drop the one that was not used for longest if there are too many."""
        with self._lock:
            self._items.pop(key, None)
            self._items[key] = item
            while len(self._items) > self._most:
                del self._items[next(iter(self._items))]

    def items(self) -> list[tuple[Any, V]]:
        """List all items, the one used last at the end."""
        with self._lock:
            return list(self._items.items())


class Cached(NamedTuple):
    """A value, and the modules it is for: keys hold their ids, which Python would reuse."""

    value: Any
    modules: list[nn.Module]


@dataclass(frozen=True)
class ProgramCache:
    """The programs that explain a model by a recipe.

    Attributes:
        model: The user's model.
        recipe: The recipe.
        output: Which of several results is explained.
        per_input: Whether the model is captured at every call.
        saved: Graphs captured in another session, by the text of the inputs' signature.
    """

    model: nn.Module
    recipe: Recipe
    output: str | int | None
    per_input: bool
    saved: "Mapping[str, CapturedModel]" = field(default_factory=dict)
    _captured: RecentItems[Cached] = field(default_factory=lambda: RecentItems(MOST_SHAPES))
    _built: RecentItems[Cached] = field(default_factory=lambda: RecentItems(MOST_SHAPES))

    def with_recipe(self, recipe: Recipe) -> "ProgramCache":
        """Return a cache for another recipe, which shares the captured graphs."""
        return ProgramCache(
            self.model, recipe, self.output, self.per_input, self.saved, self._captured
        )

    def captured(self) -> "Mapping[str, CapturedModel]":
        """Return the graphs captured so far by the text of the inputs' signature."""
        graphs = {repr(key[0]): cached.value for key, cached in self._captured.items()}
        return {**self.saved, **graphs}

    def get_or_build(self, inputs: Inputs) -> "BuiltProgram":
        """Return the program for inputs like these, captured and built if there is none yet.

        Raises what `capture_model` and `build_program` raise.
        """
        modules = _list_modules(self.model)
        key = (inputs.signature, *map(id, modules), *[m.training for m in modules])
        cached = None if self.per_input else self._built.get(key)
        program: BuiltProgram = cached.value if cached else self._build(inputs, key, modules)
        return program

    def _build(self, inputs: Inputs, key: Any, modules: list[nn.Module]) -> "BuiltProgram":
        from ..capture.model import capture_model
        from .build import build_program

        with _CAPTURE, torch.no_grad():
            if self.per_input:
                captured = capture_model(self.model, inputs, self.output, per_input=True)
                return build_program(captured, self.model, inputs, self.recipe)
            built = self._built.get(key)  # by another thread in the meantime
            if built is None:
                known = self._captured.get(key)
                captured = known.value if known else self._capture(inputs)
                # Stored first: what fails to build, such as an operation without a rule, is
                # captured once for all recipes. With its output, until a program was compared with
                # it: only that shows whether the first sample is the same alone.
                self._captured.put(key, Cached(captured, modules))
                program = build_program(captured, self.model, inputs, self.recipe)
                self._captured.put(key, Cached(captured.without_output(), modules))
                built = Cached(program, modules)
                self._built.put(key, built)
        return built.value  # type: ignore[no-any-return]

    def _capture(self, inputs: Inputs) -> "CapturedModel":
        from ..capture.model import capture_model, verify_saved

        saved = self.saved.get(repr(inputs.signature))
        if saved is not None:
            return verify_saved(saved, self.model, inputs, self.output)
        return capture_model(self.model, inputs, self.output, per_input=False)


def _list_modules(model: nn.Module) -> list[nn.Module]:
    """List a model and all modules in it, without the names that `modules()` builds each time."""
    modules, ids = [model], {id(model)}
    for module in modules:  # which grows in the loop
        for inner in own_modules(module).values():
            if inner is not None and id(inner) not in ids:
                ids.add(id(inner))
                modules.append(inner)
    return modules
