"""Watchers: look at relevance on its way back at named modules, or let only some of it pass.

Each takes the names of values, and is called by `Program.backward`.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor

from ..errors import InputError, PlanError
from ..graph.ir import Graph
from ..plan.plan import Plan, Step
from ..rules.backward import Absorbs, Form, relevance


def module_outputs(plan: Plan, pattern: str) -> dict[str, tuple[str, ...]]:
    """Module -> names of the values that it gives to others, for the modules that a glob fits.

    Values that run as one step, such as a layer, its batch norm and its ReLU, have one name.
    Raises InputError if it fits no module; PlanError if relevance reaches none that it fits.
    """
    modules = [name for name in _modules(plan.graph) if fnmatchcase(name, str(pattern))]
    if not modules:
        names = ", ".join(f'"{name}"' for name in _modules(plan.graph)[:12])
        raise InputError(
            f"the layer {pattern!r}", f"a glob that fits some of {names}", "print the plan"
        )
    joined = {node.name: step.name for step in plan.steps for node in step.nodes}
    found = {name: tuple(joined.get(n, n) for n in _outputs(plan.graph, name)) for name in modules}
    reached = {m: tuple(dict.fromkeys(n for n in v if n in plan.forms)) for m, v in found.items()}
    if not any(reached.values()):
        raise PlanError(
            f'no relevance reaches the output of "{modules[0]}"',
            "a module that the target is computed from",
            "print the plan to see which operations receive relevance",
        )
    return {module: names for module, names in reached.items() if names}


def _modules(graph: Graph) -> list[str]:
    """Dotted names of all modules that ran something, outer ones before inner ones."""
    names: dict[str, None] = {}
    for node in graph.nodes:
        parts = node.module.split(".") if node.module else []
        names.update(dict.fromkeys(".".join(parts[: i + 1]) for i in range(len(parts))))
    return list(names)


def _outputs(graph: Graph, module: str) -> list[str]:
    inside = {n.name for n in graph.nodes if f"{n.module}.".startswith(f"{module}.")}
    read = {name for n in graph.nodes if n.name not in inside for name in n.inputs} | {graph.output}
    return [n.name for n in graph.nodes if n.name in inside & read and n.floating]


class LayerObserver:
    """Notes the relevance of values, as it arrives there."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.relevance: dict[str, Tensor] = {}

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """Note the relevance of a value."""
        if name in self.names:
            self.relevance[name] = relevance(v, form, value).contiguous()
        return v

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Nothing to note."""


class ConditionObserver:
    """Lets relevance pass through some channels of a value alone.

    masks  value name -> what is let through: 1 or 0 for each entry, of a shape that broadcasts
    """

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        self.masks = masks

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """What is let through."""
        return v * self.masks[name].to(v) if name in self.masks else v

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Nothing to note."""
