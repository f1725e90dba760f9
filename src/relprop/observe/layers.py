"""Relevance at layers: finds the outputs of modules, and records what arrives there.

Takes names of values. Is called by `Program.backward`. Must not know rules.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from ..errors import InputError, PlanError
from ..graph.ir import Graph
from ..plan.plan import Plan
from ..program.observer import Observer
from ..rules.backward import Form, relevance
from ..support.arguments import suggest


def module_outputs(plan: Plan, pattern: str) -> dict[str, tuple[str, ...]]:
    """Find the outputs of modules that relevance reaches.

    Values that run as one step, such as those of a layer, its BatchNorm and its ReLU, share one
    name: that of the last.

    Args:
        plan: The plan of the model.
        pattern: Glob on dotted names of modules.

    Returns:
        Module -> names of the values that it returns to operations outside of it.

    Raises:
        InputError: The glob matches no module.
        PlanError: Relevance reaches none of the modules.
    """
    names = _module_names(plan.graph)
    modules = [name for name in names if fnmatchcase(name, str(pattern))]
    if not modules:
        allowed = ", ".join(f'"{name}"' for name in names[:12])
        todo = suggest(pattern, names, otherwise="print the plan, which names all")
        raise InputError(f"the layer {pattern!r}", f"a glob that matches some of {allowed}", todo)
    step_names = {node.name: step.name for step in plan.steps for node in step.nodes}
    outputs = {name: [step_names.get(n, n) for n in _outputs(plan.graph, name)] for name in modules}
    reached = {
        module: tuple(dict.fromkeys(name for name in values if name in plan.forms))
        for module, values in outputs.items()
    }
    if not any(reached.values()):
        raise PlanError(
            f'no relevance reaches the output of "{modules[0]}"',
            "a module that the target is computed from",
            "print the plan to see which operations receive relevance",
        )
    return {module: values for module, values in reached.items() if values}


def _module_names(graph: Graph) -> list[str]:
    """List the dotted names of all modules that run an operation, outer ones before inner ones."""
    names: dict[str, None] = {}
    for node in graph.nodes:
        parents = node.module.split(".") if node.module else []
        names.update(dict.fromkeys(".".join(parents[: i + 1]) for i in range(len(parents))))
    return list(names)


def _outputs(graph: Graph, module: str) -> list[str]:
    """List the floating-point values of a module that operations outside of it read."""
    inside = {n.name for n in graph.nodes if f"{n.module}.".startswith(f"{module}.")}
    outside = (name for n in graph.nodes if n.name not in inside for name in n.inputs)
    read = {graph.output, graph.scores, *outside}
    return [n.name for n in graph.nodes if n.name in inside & read and n.floating]


class LayerObserver(Observer):
    """Record the relevance that arrives at values.

    Attributes:
        names: The values, by name.
        relevance: Name -> relevance, of the value's shape.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.relevance: dict[str, Tensor] = {}

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> None:
        """Record the relevance; what arrives in parts adds up."""
        if name in self.names:
            part = relevance(v, form, value).contiguous()
            known = self.relevance.get(name)
            self.relevance[name] = part if known is None else known + part

    def read(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the relevance of each value: zero where none has arrived."""
        zero = {name: torch.zeros_like(values[name]) for name in self.names - set(self.relevance)}
        return {**self.relevance, **zero}
