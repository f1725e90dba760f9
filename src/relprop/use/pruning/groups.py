"""Finds which channels of a model can be removed, and which of them only together.

Takes a model and a batch. Gives groups of layers whose channels are coupled: those that a residual
connection adds, those of a depthwise convolution and of what it reads. torch-pruning traces them
(Fang et al. 2023, "DepGraph"). Must not know what channels are worth.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...observe.channel_sums import LAYERS
from ...support.arguments import suggest
from ...support.extras import needs

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class ChannelGroup:
    """Layers that lose the same channels.

    Attributes:
        name: Dotted name of the layer that the channels are counted at.
        size: How many there are.
        places: Name of a layer -> place of each of its output channels, and the channel of the
            group that it belongs to.
        norms: The same of each BatchNorm after them.
    """

    name: str
    size: int
    places: Mapping[str, tuple[Tensor, Tensor]]
    norms: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def score(self, by_layer: Mapping[str, Tensor]) -> Tensor:
        """Add up what the layers give their channels, (size,).

        Args:
            by_layer: Name of a layer -> a number for each output channel.
        """
        total = torch.zeros(self.size, dtype=torch.float64)
        for name, (own, root) in self.places.items():
            total.index_add_(0, root, by_layer[name].double().cpu()[own])
        return total

    def kept(self, removed: Sequence[int]) -> dict[str, Tensor]:
        """Return which output channels layers and BatchNorms keep, ascending, by name.

        Args:
            removed: Channels of the group that go.
        """
        stays = torch.ones(self.size, dtype=torch.bool)
        stays[list(removed)] = False
        every = {**self.places, **self.norms}
        return {name: own[stays[root]].sort().values for name, (own, root) in every.items()}


@dataclass(frozen=True)
class Prunable:
    """What of a model can be removed.

    Attributes:
        groups: Layers with their channels.
        whole: Name of a layer that keeps all its channels -> why.
    """

    groups: tuple[ChannelGroup, ...]
    whole: Mapping[str, str]

    @property
    def layers(self) -> list[str]:
        """Names of all layers that can lose channels."""
        return [name for group in self.groups for name in group.places]


def find_groups(model: nn.Module, x: Tensor, keep: Sequence[str] = ()) -> Prunable:
    """Find the channels that can be removed, by trying one of each group on a copy.

    Args:
        model: The model, in eval mode. It is not changed.
        x: Samples as it takes them, (batch, *features); the first is run.
        keep: Globs on names of layers that keep all their channels.

    Raises:
        InputError: A glob matches no layer, or nothing can be removed.
        MissingExtraError: torch-pruning is not installed.
    """
    layers = [name for name, module in model.named_modules() if isinstance(module, LAYERS)]
    kept = _matched(keep, layers)
    groups: list[ChannelGroup] = []
    whole = dict.fromkeys(kept, "keep names it")
    with traced(model, x[:1]) as (_, graph):
        candidates = [
            _read(graph, group) for group in graph.get_all_groups(root_module_types=[*LAYERS])
        ]
        blocked = _blocked(graph, x[:1])
    for group, touched in candidates:
        reason = next((blocked[name] for name in touched if name in blocked), "")
        reason = reason or next((whole[name] for name in group.places if name in whole), "")
        reason = reason or _try_one(model, x[:1], group)
        if reason:
            whole.update(dict.fromkeys(group.places, reason))
        else:
            groups.append(group)
    found = {name for group in groups for name in group.places}
    for name in layers:
        if name not in found:
            whole.setdefault(name, "the model does not run it, or not as a layer of its own")
    if not groups:
        given = f"a model of which nothing can be removed: {_listed(whole)}"
        raise InputError(given, "one with a layer between others", "prune another model")
    return Prunable(tuple(groups), whole)


def remove_channels(model: nn.Module, x: Tensor, removed: Mapping[str, Sequence[int]]) -> nn.Module:
    """Return a copy of a model without some channels.

    Args:
        model: The model. It is not changed.
        x: A sample as it takes it, (1, *features).
        removed: Name of a group -> its channels that are removed.
    """
    with traced(model, x) as (pruned, graph):
        for name, channels in removed.items():
            if len(channels):
                layer = pruned.get_submodule(name)
                prune = graph.get_pruner_of_module(layer).prune_out_channels
                graph.get_pruning_group(layer, prune, list(channels)).prune()
    requires = {name: p.requires_grad for name, p in model.named_parameters()}
    for name, parameter in pruned.named_parameters():
        parameter.requires_grad_(requires[name])
    return pruned


@contextmanager
def traced(model: nn.Module, x: Tensor) -> Iterator[tuple[nn.Module, Any]]:
    """Copy a model and trace which of its layers depend on each other.

    Args:
        model: The model.
        x: A sample, (1, *features).

    Yields:
        The copy in eval mode, and its `torch_pruning.DependencyGraph`.
    """
    with needs("prune", "pruning"):
        import torch_pruning
    duplicate = copy.deepcopy(model).eval()
    for parameter in duplicate.parameters():  # which the trace needs, through autograd
        parameter.requires_grad_(parameter.is_floating_point())
    with torch.inference_mode(False), torch.enable_grad():
        graph = torch_pruning.DependencyGraph()
        yield duplicate, graph.build_dependency(duplicate, example_inputs=x, verbose=False)


def _read(graph: Any, group: Any) -> tuple[ChannelGroup, list[str]]:
    """Return a traced group as a record, and the names of all modules that it changes."""
    places: dict[str, tuple[Tensor, Tensor]] = {}
    norms: dict[str, tuple[Tensor, Tensor]] = {}
    touched = []
    for item in group.items:
        module = item.dep.target.module
        name = graph._module2name.get(module, "")
        touched.append(name)
        if isinstance(module, LAYERS) and graph.is_out_channel_pruning_fn(item.dep.handler):
            places[name] = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
        if isinstance(module, NORMS):
            norms[name] = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
    root = graph._module2name[group[0].dep.target.module]
    return ChannelGroup(root, len(group[0].idxs), places, norms), [n for n in touched if n]


def shared_weights(model: nn.Module) -> dict[str, str]:
    """Say of modules that share weights with others which they are.

    Args:
        model: The model.

    Returns:
        Name of a module -> a sentence.
    """
    users: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        users.setdefault(id(parameter), []).append(name.rpartition(".")[0])
    return {
        name: f"{name} shares weights with {other}"
        for names in users.values()
        for name, other in zip(names[1:] + names[:1], names, strict=True)
        if len(names) > 1
    }


def _blocked(graph: Any, x: Tensor) -> dict[str, str]:
    """Say of modules and parameters why what touches them keeps its channels."""
    model: nn.Module = graph.model
    blocked = shared_weights(model)
    for name, count in calls(model, x, LAYERS).items():
        if count > 1:
            blocked.setdefault(name, f"{name} runs {count} times")
    for name, module in model.named_modules():
        groups = getattr(module, "groups", 1)
        if groups > 1 and groups != getattr(module, "out_channels", groups):
            blocked.setdefault(name, f"{name} convolves channels in groups")
        if isinstance(module, nn.MultiheadAttention):
            blocked.setdefault(name, f"{name} divides its width by heads")
        if isinstance(module, nn.RNNBase):
            blocked.setdefault(name, f"{name} is recurrent")
    return blocked


def calls(model: nn.Module, x: Tensor, kinds: tuple[type[nn.Module], ...]) -> Counter[str]:
    """Count how often each module of some classes runs in a forward pass.

    Args:
        model: The model.
        x: A sample, (1, *features).
        kinds: The classes.

    Returns:
        Name -> how often, in the order in which they first run.
    """
    counts: Counter[str] = Counter()
    handles = [
        module.register_forward_hook(lambda *_, name=name: counts.update([name]))
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return counts


def _try_one(model: nn.Module, x: Tensor, group: ChannelGroup) -> str:
    """Remove one channel of a group, and say what speaks against it; "" for nothing."""
    if group.size < 2:
        return "it has one channel"
    with torch.no_grad():
        shape = model(x).shape
        try:
            pruned = remove_channels(model, x, {group.name: [0]})
            changed = pruned(x).shape != shape
        except (RuntimeError, ValueError, IndexError, AssertionError, KeyError):
            return "the model does not run with fewer of its channels"
    return "its channels are the output" if changed else ""


def _matched(keep: Sequence[str], layers: Sequence[str]) -> list[str]:
    """Return the layers that globs match. Raises InputError for a glob that matches none."""
    for pattern in keep:
        if not any(fnmatchcase(name, pattern) for name in layers):
            todo = suggest(pattern, layers, otherwise="leave it out")
            raise InputError(f"keep names {pattern!r}", ", ".join(layers[:12]), todo)
    return [name for name in layers if any(fnmatchcase(name, one) for one in keep)]


def _listed(whole: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in list(whole.items())[:6]) or "no layers"
