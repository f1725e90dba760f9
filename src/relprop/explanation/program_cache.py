"""Caches captured graphs, and the programs built from them.

Takes a model and inputs, gives a `BuiltProgram` for the shapes of the inputs and the configuration
that the model has now. May be used from several threads.
"""

import threading
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..capture.configuration import Configuration
from ..errors import CaptureError, InputError, RelpropError
from ..graph.inputs import Inputs, signature_without
from ..plan.validation import dropped_warning, unread_warning
from ..recipes.recipe import Recipe
from ..support.recent_items import RecentItems
from .configurations import Configurations
from .open_sizes import OpenSizes

if TYPE_CHECKING:  # loaded at the first capture, so that `import relprop` stays quick
    from ..capture.description import Description
    from ..capture.masks import MaskSigns
    from ..capture.model import CapturedModel
    from ..graph.ir import Graph
    from .built_program import BuiltProgram

# Each text length or picture size has an entry, though most share a program. A bound, so that a
# service that meets ever new lengths does not fill its memory.
MOST_SHAPES = 64

# Shapes for which it is known on which masks their graphs depend: more than programs are kept.
MOST_MASKED = 16 * MOST_SHAPES

_CAPTURE = threading.Lock()  # torch.export keeps global state while it reads a model


@dataclass(frozen=True)
class ProgramCache:
    """The programs that explain a model by a recipe.

    Attributes:
        model: The user's model.
        configurations: What decides its operations.
        recipe: The recipe.
        output: Which of several results is explained.
        per_input: Whether the model is captured at every call.
        saved: Graphs captured in another session, by the text of the inputs' signature.
        saved_of: The model that they were captured of.
    """

    model: nn.Module
    configurations: Configurations
    recipe: Recipe
    output: str | int | None
    per_input: bool
    saved: "Mapping[str, CapturedModel]" = field(default_factory=dict)
    saved_of: "Description" = field(default_factory=dict)
    _captured: "RecentItems[CapturedModel]" = field(
        default_factory=lambda: RecentItems(MOST_SHAPES)
    )
    _masks: "RecentItems[MaskSigns]" = field(default_factory=lambda: RecentItems(MOST_MASKED))
    _open: OpenSizes = field(default_factory=OpenSizes)
    _built: "RecentItems[BuiltProgram]" = field(default_factory=lambda: RecentItems(MOST_SHAPES))
    _of_graph: "RecentItems[tuple[Graph, BuiltProgram]]" = field(
        default_factory=lambda: RecentItems(MOST_SHAPES)
    )
    _warned: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, model: nn.Module, recipe: Recipe, output: str | int | None, per_input: bool
    ) -> "ProgramCache":
        """Return an empty cache for a model."""
        return cls(model, Configurations(model), recipe, output, per_input)

    def with_recipe(self, recipe: Recipe) -> "ProgramCache":
        """Return a cache for another recipe, which shares the captured graphs."""
        return replace(
            self,
            recipe=recipe,
            _built=RecentItems(MOST_SHAPES),
            _of_graph=RecentItems(MOST_SHAPES),
            _warned=set(),
        )

    def captured(self) -> "Mapping[str, CapturedModel]":
        """Return the graphs captured so far by the text of the inputs' signature.

        The text is without the sizes that a graph leaves open; the graphs are without those
        that are right for some signs of a mask alone. Raises InputError if there are
        only such.
        """
        now = self.configurations.current()
        current = [(sig, graph) for (sig, of, *_), graph in self._captured.items() if of is now]
        graphs = {_text(s, g): g for s, g in current if not (g.masks and g.masks.found)}
        if current and not graphs:
            raise InputError(
                "a model that multiplies exponentials with weights: its graph is right for some "
                "signs of them alone",
                "weights of a softmax that cannot be negative, such as booleans or weights.relu()",
                "capture the model in each session",
            )
        return {**(self.saved if self._is_saved_model() else {}), **graphs}

    def described_model(self) -> "Description":
        """Describe the model, without what its forward writes."""
        from ..capture.description import describe_model

        return describe_model(self.model, self.configurations.written)

    def _is_saved_model(self) -> bool:
        """Tell whether the model is still the one that saved graphs are of."""
        from ..capture.description import model_difference

        return not model_difference(self.saved_of, self.described_model())

    def get_or_build(self, inputs: Inputs, proved: bool = True) -> "BuiltProgram":
        """Return the program for inputs like these, captured and built if there is none yet.

        Args:
            inputs: The inputs.
            proved: Whether it is compared with the model here, if its graph leaves sizes open; if
                not, whoever runs it does so, by `first_run`.

        Raises:
            RelpropError: What `capture_model` and `build_program` raise.
        """
        if self.per_input:
            return self._build_once(inputs)
        key = self._key(inputs)
        built = self._built.get(key) or self._build(inputs, key)
        return self._prove(built, inputs) if proved and built.new else built

    def _key(self, inputs: Inputs) -> Any:
        key: Any = inputs.signature, self.configurations.current()
        return self._with_signs(key, inputs) if self._masks else key

    def _prove(self, built: "BuiltProgram", inputs: Inputs) -> "BuiltProgram":
        from .prove_sizes import OtherAtSizeError, prove_sizes

        try:
            with torch.no_grad():
                prove_sizes(built, self.model, inputs)
        except OtherAtSizeError as error:
            return self.build_alone(inputs, built, error)
        return built

    def build_alone(
        self, inputs: Inputs, refused: "BuiltProgram", error: CaptureError
    ) -> "BuiltProgram":
        """Capture the model for these sizes again, where a program does something else than it.

        The graph itself is compared with the model this time: either that tells what is wrong, or
        the program rounds otherwise, as one that folds batch norms does.

        Args:
            inputs: The inputs.
            refused: The program that does not give the model's output.
            error: What says so.
        """
        key = self._key(inputs)
        with _CAPTURE:
            now = self._built.get(key)
            if now and now.program is refused.program:  # else another thread has been here
                sizes = refused.program.plan.graph.sizes
                if sizes and sizes.free:
                    self._open.close(inputs, key[1], error.given)
                self._built.drop(key)
                self._captured.drop(key)
        return self._built.get(key) or self._build(inputs, key, run=True)

    def _with_signs(self, key: Any, inputs: Inputs) -> Any:
        """Add to a key which masks are >= 0 now, where graphs captured for it depend on that."""
        from ..capture.model import current_state

        with torch.no_grad():
            while (masks := self._masks.get(key)) is not None:
                now = masks.now(inputs.tensors, current_state(self.model, masks.graph))
                if now == masks.found:
                    break
                key = (*key, tuple(now.items()))
        return key

    def _build_once(self, inputs: Inputs) -> "BuiltProgram":
        from ..capture.model import capture_model
        from .build import build_program

        with _CAPTURE, torch.no_grad():
            captured = capture_model(self.model, inputs, self.output, per_input=True)
            built = build_program(captured, self.model, inputs, self.recipe, self.output)
            self._warn(built)
            return built

    def _build(self, inputs: Inputs, key: Any, run: bool = False) -> "BuiltProgram":
        with _CAPTURE, torch.no_grad():
            built = self._built.get(key)  # by another thread in the meantime
            if built is None:
                with self._guard(inputs):
                    built, captured = self._fit(inputs, key) or self._build_first(inputs, key, run)
                self._captured.put(key, captured.without_output())
                self._warn(built)
                self._built.put(key, built)
                built = replace(built, expected=captured.expected)
        return built

    def _fit(self, inputs: Inputs, key: Any) -> "tuple[BuiltProgram, CapturedModel] | None":
        """Return a program whose graph leaves the sizes of these inputs open; None without one.

        Nor is there one where the model is known to do something else at these sizes.
        """
        from .build import fit_program
        from .prove_sizes import OtherAtSizeError

        captured = self._captured.get(key) or self._open.find(inputs, key[1])
        known = self._of_graph.get(id(captured.graph)) if captured else None
        if captured is None or known is None or known[0] is not captured.graph:
            return None  # the last: another graph in the memory of one that is gone
        try:
            return fit_program(known[1], captured, self.model, inputs), captured
        except OtherAtSizeError as error:
            self._open.close(inputs, key[1], error.given)
            return None

    def _build_first(
        self, inputs: Inputs, key: Any, run: bool
    ) -> "tuple[BuiltProgram, CapturedModel]":
        """Build the first program of a graph, which is captured if there is none."""
        from .build import build_program, fit_program

        captured = self._captured.get(key) or self._open.find(inputs, key[1])
        captured = captured or self._capture(inputs, key[1], run)
        self.configurations.ignore(captured.written)
        # Stored first: what fails to build, such as an operation without a rule, is captured once
        # for all recipes. With its output, until a program was compared with it: only that shows
        # whether the first sample is the same alone.
        self._captured.put(key, captured if captured.verified else captured.without_output())
        if captured.masks and captured.masks.found:
            self._masks.put(key, captured.masks)
        built = build_program(captured, self.model, inputs, self.recipe, self.output)
        self._try_backward(built, inputs)
        if captured.graph.sizes and captured.graph.sizes.captured != inputs.shapes:
            built = fit_program(built, captured, self.model, inputs)
        if captured.graph.sizes is not None:
            self._of_graph.put(id(captured.graph), (captured.graph, built))
        return built, captured

    def _warn(self, built: "BuiltProgram") -> None:
        """Warn once of paths that end, and of quotients that look like a softmax."""
        plan = built.program.plan
        for nodes, warning in (plan.dropped, dropped_warning), (plan.unread, unread_warning):
            new = [node for node in nodes if node.where not in self._warned]
            if new:
                self._warned.update(node.where for node in new)
                warnings.warn(warning(new, plan.recipe), stacklevel=7)  # the line that calls

    def _guard(self, inputs: Inputs) -> AbstractContextManager[None]:
        """Return a context in which errors of a saved graph are those of its file."""
        if self._saved_for(inputs) is None:
            return nullcontext()
        from .saved_plans import as_file_error

        return as_file_error()

    def _try_backward(self, built: "BuiltProgram", inputs: Inputs) -> None:
        """Run a backward pass of a saved graph: some arguments count there alone."""
        if self._saved_for(inputs) is not None:
            from .saved_plans import run_backward_once

            run_backward_once(built, self.model, inputs)

    def _saved_for(self, inputs: Inputs) -> "CapturedModel | None":
        """Find a saved graph for these inputs: of their sizes, or one that leaves them open."""
        for text, captured in self.saved.items():
            sizes = captured.graph.sizes
            alike = _text(inputs.signature, captured) == text
            if alike and (sizes is None or sizes.hold(inputs.shapes)):
                return captured
        return None

    def _capture(self, inputs: Inputs, configuration: Configuration, run: bool) -> "CapturedModel":
        """Capture the model; with open sizes, if it was captured for others before."""
        from ..capture.model import capture_model, verify_saved

        saved = self._saved_for(inputs)
        if saved is not None and self._is_saved_model():
            captured = verify_saved(saved, self.model, inputs, self.output)
            return self._open.keep(inputs, configuration, captured)
        free = self._open.note(inputs, configuration)
        if free:
            try:
                captured = capture_model(self.model, inputs, self.output, False, free, run)
                return self._open.keep(inputs, configuration, captured)
            except RelpropError as error:
                self._open.close(inputs, configuration, error.given)
        captured = capture_model(self.model, inputs, self.output, per_input=False, run=run)
        return self._open.said(inputs, configuration, captured)


def _text(signature: tuple[Any, ...], captured: "CapturedModel") -> str:
    """Write the signature of inputs without the sizes that a graph leaves open."""
    sizes = captured.graph.sizes
    return repr(signature_without(signature, sizes.free if sizes else ()))
