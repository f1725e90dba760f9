"""Watchers: look at relevance on its way back at named modules, or let only some of it pass.

Each takes the names of values, and is called by `Program.backward`.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, PlanError
from .forms import Back, Form
from .graph import Graph
from .plan import Plan, Step
from .program import relevance


def outputs_of(plan: Plan, pattern: str) -> dict[str, tuple[str, ...]]:
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


class AtLayers:
    """Notes the relevance of values, as it arrives there."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.found: dict[str, Tensor] = {}

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """Note the relevance of a value."""
        if name in self.names:
            self.found[name] = relevance(v, form, value)
        return v

    def passed(self, step: Step, back: Back, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Nothing to note."""


class Only:
    """Lets relevance pass through some channels of a value alone.

    masks  value name -> what is let through: 1 or 0 for each entry, of a shape that broadcasts
    """

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        self.masks = masks

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """What is let through."""
        return v * self.masks[name].to(v) if name in self.masks else v

    def passed(self, step: Step, back: Back, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Nothing to note."""


def channel_mask(value: Tensor, channels: Any, module: str) -> Tensor:
    """1 at the chosen channels of a value: dimension 1 of maps, the last one of anything else.

    channels  an index, a list of them, or a tensor of 0 and 1 that broadcasts to a sample
    """
    if isinstance(channels, Tensor) and channels.dtype in (torch.bool, torch.float32, value.dtype):
        return _checked_mask(value, channels, module)
    axis = 1 if value.ndim >= 4 else value.ndim - 1
    indices = torch.as_tensor(channels).reshape(-1)
    wrong = indices.is_floating_point() or indices.dtype is torch.bool or not len(indices)
    if wrong or bool(((indices < 0) | (indices >= value.shape[axis])).any()):
        raise InputError(
            f'the channels {channels!r} of "{module}"',
            f"indices from 0 to {value.shape[axis] - 1}, or a mask of a sample's shape",
            f'write only={{"{module}": [0]}}',
        )
    mask = torch.zeros(value.shape[axis], device=value.device)
    mask[indices.to(value.device)] = 1
    return mask.reshape(-1, *[1] * (value.ndim - 1 - axis))


def _checked_mask(value: Tensor, mask: Tensor, module: str) -> Tensor:
    try:
        return mask.to(value.device).expand_as(value)
    except RuntimeError:
        raise InputError(
            f'a mask of shape {tuple(mask.shape)} for the output of "{module}"',
            f"a shape that broadcasts to {tuple(value.shape)}",
            "give the indices of channels",
        ) from None
