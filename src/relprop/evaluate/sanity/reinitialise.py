"""Layers of a model, from the last that runs to the first, and new values for one of them.

Takes a copy of the user's model, and writes on it.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

RESET, NORMAL = "reset_parameters", "normal"


@dataclass(frozen=True)
class Layer:
    """A module with parameters of its own. Those of modules inside it are other layers'."""

    name: str
    module: nn.Module

    @property
    def by(self) -> str:
        """How it is drawn anew: by the module's own `reset_parameters`, or from a "normal"."""
        return RESET if callable(getattr(self.module, RESET, None)) else NORMAL

    @property
    def state(self) -> dict[str, Tensor]:
        """Its parameters and buffers, by name."""
        own = {**self.module._parameters, **self.module._buffers}
        return {name: value for name, value in own.items() if value is not None}


def layers_of(model: nn.Module, run: Callable[[], object]) -> tuple[Layer, ...]:
    """The layers of a model, the one whose call begins last first.

    run  calls the model once
    A module that is not called by itself, as within attention, begins with the one around it; of
    those that begin together, the one that was registered last is first.
    """
    begun = _begun(model, run)
    found = [Layer(name, m) for name, m in model.named_modules() if _has_parameters(m)]
    return tuple(sorted(found, key=lambda layer: _start(layer.name, begun)))[::-1]


def reinitialise(layer: Layer, seed: int) -> None:
    """Draw a layer's values anew.

    By `reset_parameters` where the module has it: as before training, running statistics too.
    Otherwise each parameter from a normal with its own mean and deviation, so that one with equal
    values stays as it is. Drawn on the CPU: a seed means the same on every device.
    """
    drawn = _reset(layer, seed) if layer.by == RESET else _normal(layer, seed)
    restore(layer, drawn)


def restore(layer: Layer, values: Mapping[str, Tensor]) -> None:
    """Write values over those of a layer."""
    with torch.no_grad():
        for name, value in layer.state.items():
            if name in values:
                value.copy_(values[name])


def _reset(layer: Layer, seed: int) -> dict[str, Tensor]:
    fresh = Layer(layer.name, copy.deepcopy(layer.module).cpu())
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers go on as they would have
        torch.default_generator.manual_seed(seed)
        getattr(fresh.module, RESET)()
    return fresh.state


def _normal(layer: Layer, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, parameter in layer.module.named_parameters(recurse=False):
        if parameter.is_floating_point():
            values = parameter.detach().double()
            noise = torch.randn(values.shape, generator=generator, dtype=torch.float64)
            spread = values.std(correction=0)
            drawn[name] = values.mean() + spread * noise.to(values.device)
    return drawn


def _has_parameters(module: nn.Module) -> bool:
    return any(p.is_floating_point() for p in module.parameters(recurse=False))


def _begun(model: nn.Module, run: Callable[[], object]) -> dict[str, int]:
    """Names of the modules that were called, and which was the first to begin."""
    begun = {"": -1}

    def watch(name: str, module: nn.Module) -> RemovableHandle:
        def note(module: nn.Module, inputs: object) -> None:
            begun.setdefault(name, len(begun))

        return module.register_forward_pre_hook(note)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return begun


def _start(name: str, begun: Mapping[str, int]) -> int:
    """When a module began, or the nearest one around it that did."""
    while name not in begun:
        name = name.rpartition(".")[0]
    return begun[name]
