"""Order the layers of a model from output to input, and give one of them new random values.

Takes a copy of the user's model, and writes to it. Must not know what the layers are compared by.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...support.torch_private import own_buffers, own_parameters

RESET, NORMAL = "reset_parameters", "normal"


@dataclass(frozen=True)
class ParameterisedLayer:
    """A module that has parameters of its own, without those of its submodules.

    Attributes:
        name: Qualified name in the model; "" is the model itself.
        module: The module.
    """

    name: str
    module: nn.Module

    @property
    def initialiser(self) -> str:
        """How `reinitialise` draws its values: "reset_parameters" or "normal"."""
        return RESET if callable(getattr(self.module, RESET, None)) else NORMAL

    @property
    def state(self) -> dict[str, Tensor]:
        """Its own parameters and buffers, by name."""
        own = {**own_parameters(self.module), **own_buffers(self.module)}
        return {name: value for name, value in own.items() if value is not None}


def layers_from_output(
    model: nn.Module, run: Callable[[], object]
) -> tuple[ParameterisedLayer, ...]:
    """List the layers that have parameters, the one whose forward starts last first.

    `run` calls the model once. A module whose forward is not called, such as the output projection
    inside torch's attention, counts as starting with the module around it. Of modules that start
    together, the one registered last comes first.
    """
    starts = _start_order(model, run)
    layers = [ParameterisedLayer(name, m) for name, m in model.named_modules() if _has_weights(m)]
    return tuple(sorted(layers, key=lambda layer: _start_of(layer.name, starts)))[::-1]


def reinitialise(layer: ParameterisedLayer, seed: int) -> None:
    """Replace a layer's values by random ones.

    By the module's `reset_parameters` if it has one: as before training, running statistics
    included. Otherwise each parameter is drawn from a normal distribution with that parameter's
    mean and standard deviation; one whose entries are all equal stays as it is. Values are drawn on
    the CPU, so that a seed means the same on every device.
    """
    draw = _draw_by_reset if layer.initialiser == RESET else _draw_normal
    restore(layer, draw(layer, seed))


def restore(layer: ParameterisedLayer, values: Mapping[str, Tensor]) -> None:
    """Copy values into a layer's parameters and buffers of the same names."""
    with torch.no_grad():
        for name, value in layer.state.items():
            if name in values:
                value.copy_(values[name])


def _draw_by_reset(layer: ParameterisedLayer, seed: int) -> dict[str, Tensor]:
    fresh = ParameterisedLayer(layer.name, copy.deepcopy(layer.module).cpu())
    # `reset_parameters` draws from the global generator, whose state belongs to the caller.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        getattr(fresh.module, RESET)()
    return fresh.state


def _draw_normal(layer: ParameterisedLayer, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, parameter in layer.module.named_parameters(recurse=False):
        if parameter.is_floating_point():
            values = parameter.detach().double()
            noise = torch.randn(values.shape, generator=generator, dtype=torch.float64)
            deviation = values.std(correction=0)
            drawn[name] = values.mean() + deviation * noise.to(values.device)
    return drawn


def _has_weights(module: nn.Module) -> bool:
    return any(p.is_floating_point() for p in module.parameters(recurse=False))


def _start_order(model: nn.Module, run: Callable[[], object]) -> dict[str, int]:
    """Find the order in which modules that are called first start, as an index by name."""
    starts = {"": -1}

    def watch(name: str, module: nn.Module) -> RemovableHandle:
        def record(module: nn.Module, inputs: object) -> None:
            starts.setdefault(name, len(starts))

        return module.register_forward_pre_hook(record)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return starts


def _start_of(name: str, starts: Mapping[str, int]) -> int:
    """Look up when a module started, or else the nearest module around it that did."""
    while name not in starts:
        name = name.rpartition(".")[0]
    return starts[name]
