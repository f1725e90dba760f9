"""What was read of a model, and the programs made of it: once for each shape of its inputs.

May be used from several threads.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ..capture.model import CapturedModel, capture_model, verify_saved
from ..graph.inputs import Inputs
from ..recipes.recipe import Recipe
from .build import Made, make_program

_PLANNING = threading.Lock()  # torch.export keeps global state while it reads a model


# What was read, and the model's modules.
Read = tuple[CapturedModel, list[nn.Module]]


@dataclass(frozen=True)
class Programs:
    """The programs that explain a model by a recipe.

    output     which of several results is explained
    per_input  the model is read anew for each input
    saved      what was read in another session, by the text of the inputs' signature
    """

    model: nn.Module
    recipe: Recipe
    output: str | int | None
    per_input: bool
    saved: Mapping[str, CapturedModel] = field(default_factory=dict)
    _read: dict[Any, Read] = field(default_factory=dict)
    _made: dict[Any, Made] = field(default_factory=dict)

    def by(self, recipe: Recipe) -> "Programs":
        """The same by another recipe; what is read for one is known to the other."""
        return Programs(
            self.model, recipe, self.output, self.per_input, self.saved, _read=self._read
        )

    def read(self) -> Mapping[str, CapturedModel]:
        """What was read so far, by the text of the inputs' signature."""
        return {**self.saved, **{repr(key[0]): read for key, (read, *_) in self._read.items()}}

    def made(self, inputs: Inputs) -> Made:
        """The program for inputs like these. As capture_model and make_program raise."""
        if self.per_input:
            with _PLANNING, torch.no_grad():
                read = capture_model(self.model, inputs, self.output, True)
                return make_program(read, self.model, inputs, self.recipe)
        modules = _modules(self.model)  # kept, so that no new module gets an old one's id
        key = (inputs.signature, *map(id, modules), *[m.training for m in modules])
        if key not in self._made:
            with _PLANNING, torch.no_grad():
                if key not in self._made:
                    if key not in self._read:
                        self._read[key] = self._known(inputs), modules
                    read, _ = self._read[key]
                    self._made[key] = make_program(read, self.model, inputs, self.recipe)
                    self._read[key] = read.without_output(), modules
        return self._made[key]

    def _known(self, inputs: Inputs) -> CapturedModel:
        saved = self.saved.get(repr(inputs.signature))
        if saved is not None:
            return verify_saved(saved, self.model, inputs, self.output)
        return capture_model(self.model, inputs, self.output, False)


def _modules(model: nn.Module) -> list[nn.Module]:
    """A model and all modules in it; `modules()` makes their names, too, at every call."""
    found, known = [model], {id(model)}
    for module in found:  # which grows on the way
        for inner in module._modules.values():
            if inner is not None and id(inner) not in known:
                known.add(id(inner))
                found.append(inner)
    return found
