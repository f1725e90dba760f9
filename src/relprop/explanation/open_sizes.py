"""Remembers which sizes of inputs have changed, and the graphs that leave them open.

A graph is captured for the sizes of its inputs as they are. When inputs come that differ in sizes
alone, the sizes that differ are left open, so that a third size needs no capture. Takes inputs.
Gives sizes and graphs. Must not know how a model is captured. Used by one thread at a time.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..graph.inputs import Inputs, signature_without
from ..graph.sizes import InputShapes, Place, Sizes
from ..support.recent_items import RecentItems

if TYPE_CHECKING:
    from ..capture.model import CapturedModel

_MOST_FORMS = 64
_MOST_GRAPHS = 4  # with open sizes, of one form of inputs


@dataclass
class InputForm:
    """Inputs that differ in sizes alone.

    Attributes:
        shapes: Those of the first inputs.
        changed: The sizes that have differed from these.
        closed: Sizes that cannot be left open, each with what fixes it; "" if that is unknown.
        graphs: Graphs with open sizes, the last one at the end.
    """

    shapes: InputShapes
    changed: set[Place] = field(default_factory=set)
    closed: dict[Place, str] = field(default_factory=dict)
    graphs: list["CapturedModel"] = field(default_factory=list)


class OpenSizes:
    """The forms of inputs that a model was called with, by form and configuration of the model."""

    def __init__(self) -> None:
        self._forms: RecentItems[InputForm] = RecentItems(_MOST_FORMS)

    def __reduce__(self) -> tuple[type["OpenSizes"], tuple[()]]:
        return OpenSizes, ()  # a copy begins without graphs

    def find(self, inputs: Inputs, configuration: object) -> "CapturedModel | None":
        """Return a graph whose open sizes these inputs fit."""
        form, shapes = self._form(inputs, configuration), inputs.shapes
        for captured in reversed(form.graphs):
            sizes = captured.graph.sizes
            if sizes is not None and sizes.hold(shapes):
                return captured
        return None

    def note(self, inputs: Inputs, configuration: object) -> frozenset[Place]:
        """Note the sizes of inputs that no graph fits; return those that are to be left open.

        Not those that are 1 now: torch.export fixes these, and they are open at another size.
        """
        form = self._form(inputs, configuration)
        form.changed |= {
            (label, dim)
            for label, shape in inputs.shapes.items()
            for dim, size in enumerate(shape)
            if size != form.shapes[label][dim] and not (dim == 0 and label in inputs.batched)
        }
        candidates = form.changed.difference(form.closed)
        return frozenset((label, dim) for label, dim in candidates if inputs.shapes[label][dim] > 1)

    def keep(
        self, inputs: Inputs, configuration: object, captured: "CapturedModel"
    ) -> "CapturedModel":
        """Keep a graph with open sizes; those that the model's code fixes are closed from now.

        Returns the graph, whose plans say which sizes are closed.
        """
        form, sizes = self._form(inputs, configuration), captured.graph.sizes
        if sizes is None:
            return captured
        form.closed |= sizes.fixed
        captured = self.said(inputs, configuration, captured)
        if sizes.free:
            form.graphs = [*form.graphs[1 - _MOST_GRAPHS :], captured.without_output()]
        return captured

    def close(self, inputs: Inputs, configuration: object, why: str) -> None:
        """Leave no sizes open from now that have changed so far, for a reason."""
        form = self._form(inputs, configuration)
        form.graphs = []
        form.closed = dict.fromkeys(sorted(form.changed), why) | form.closed

    def said(
        self, inputs: Inputs, configuration: object, captured: "CapturedModel"
    ) -> "CapturedModel":
        """Return a graph whose plans say which sizes are closed, and by what."""
        form, nothing = self._form(inputs, configuration), frozenset[Place]()
        if not form.closed:
            return captured
        sizes = captured.graph.sizes or Sizes(inputs.shapes, inputs.batched, nothing, {})
        fixed = {place: by for place, by in form.closed.items() if place not in sizes.free}
        sizes = replace(sizes, fixed=fixed)
        return replace(captured, graph=replace(captured.graph, sizes=sizes))

    def _form(self, inputs: Inputs, configuration: object) -> InputForm:
        every = {(k, dim) for k, shape in inputs.shapes.items() for dim in range(len(shape))}
        key = signature_without(inputs.signature, every), configuration
        form = self._forms.get(key) or InputForm(inputs.shapes)
        self._forms.put(key, form)
        return form
