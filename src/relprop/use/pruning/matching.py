"""Gives what is left of a pruned model the outputs' mean and spread that it had before.

With fewer channels to read, a layer's outputs are smaller and shifted, and so is all that follows.
Takes both models and samples; labels are not needed, and nothing is trained. Changes weights and
biases. Must not know why channels went.

n  samples      c  channels
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ...observe.channel_sums import LAYERS
from .groups import NORMS, calls, shared_weights

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_SAMPLES = 512  # at most, evenly spaced, since all are run at once
_SPREAD = 1e-9  # relative to before: a channel that varies less is not stretched


def match_statistics(
    whole: nn.Module, pruned: nn.Module, x: Tensor, kept: Mapping[str, Tensor]
) -> None:
    """Scale and shift, layer by layer, what layers of a pruned model return.

    z' = s (z - mean z) + mean z0, with s = std z0 / std z over samples and space, for each channel
    of an output z that was z0 in the whole model, folded into the layer's weight and bias. A layer
    comes after those that it reads are right. Layers without a bias, tied ones and those that run
    several times stay as they are; the BatchNorm after a layer without a bias does it. Where
    nothing was removed, nothing changes.

    Args:
        whole: The model before, in eval mode. It is not changed.
        pruned: What is left of it, in eval mode; changed in place.
        x: Samples, (n, *features), n >= 2.
        kept: Name of a layer -> which of its output channels are left; others have all.

    Source: BatchNorm's statistics estimated again after pruning, as Li et al. 2020, "EagleEye: fast
    sub-net evaluation for efficient neural network pruning"; the same for layers without one as
    Jordan et al. 2023, "REPAIR: renormalizing permuted activations for interpolation repair".
    """
    before = dict[str, tuple[Tensor, Tensor]]()
    names, x = _adjustable(whole, x[:1]), x[:: -(-len(x) // _SAMPLES)]
    with torch.no_grad(), ExitStack() as hooks:
        for name in names:

            def note(module: nn.Module, _: Any, z: Tensor, name: str = name) -> None:
                before[name] = _statistics(module, z)

            hooks.callback(whole.get_submodule(name).register_forward_hook(note).remove)
        whole(x)
    with torch.no_grad(), ExitStack() as hooks:
        for name in names:

            def match(module: nn.Module, _: Any, z: Tensor, name: str = name) -> Tensor:
                return _match(module, z, before[name], kept.get(name))

            hooks.callback(pruned.get_submodule(name).register_forward_hook(match).remove)
        pruned(x)


def _adjustable(model: nn.Module, x: Tensor) -> list[str]:
    """Name layers and BatchNorms with weight and bias that run once, with weights of their own."""
    tied, counts = shared_weights(model), calls(model, x, (*LAYERS, *NORMS))
    return [
        name
        for name, count in counts.items()
        if count == 1 and name not in tied and _has_bias(model.get_submodule(name))
    ]


def _has_bias(module: nn.Module) -> bool:
    if isinstance(module, _TRANSPOSED) and module.groups > 1:  # whose weight has no axis of outputs
        return False
    return all(isinstance(getattr(module, name), nn.Parameter) for name in ("weight", "bias"))


def _statistics(module: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel, (c,), in float64."""
    values = z.double().movedim(_axis(module), 0).flatten(1)
    return values.mean(1), values.std(1, correction=0)


def _match(
    module: nn.Module, z: Tensor, before: tuple[Tensor, Tensor], kept: Tensor | None
) -> Tensor:
    """Change a layer, and return what it then gives in place of z."""
    mean, std = before if kept is None else (one[kept.to(z.device)] for one in before)
    now, spread = _statistics(module, z)
    scale = (std / spread).where(spread > _SPREAD * std, 1.0)
    shift = mean - scale * now
    weight, bias = module.weight, module.bias
    assert isinstance(weight, nn.Parameter)
    assert isinstance(bias, nn.Parameter)
    outputs = 1 if isinstance(module, _TRANSPOSED) else 0  # axis of the weight
    weight.mul_(_along(scale, weight, outputs))
    bias.mul_(scale.to(bias.dtype)).add_(shift.to(bias.dtype))
    axis = _axis(module)
    return z * _along(scale, z, axis) + _along(shift, z, axis)


def _axis(module: nn.Module) -> int:
    return -1 if isinstance(module, nn.Linear) else 1


def _along(values: Tensor, like: Tensor, axis: int) -> Tensor:
    """Shape numbers of channels, (c,), for a product with a tensor that has them on an axis."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return values.to(like.dtype).reshape(shape)
