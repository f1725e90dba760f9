"""From what the user gave to a subject that removal can be tried on; all errors arise here.

n  samples
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...graph.inputs import Inputs
from ..fills.base import Fill, filled, seeded
from ..fills.registry import as_fill
from ..fills.token_deletion import Deletion, check_deletion
from .forward_passes import Subject
from .steps import Spacing, Steps, counts
from .units import Maker, Units, check_units, default, tokens


def prepare(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    fill: Any,
    steps: Steps,
    spacing: Spacing,
    units: Units | Maker | None,
    removed: str | None,
    batch_size: int,
    seed: int,
) -> Subject:
    """Everything but relevance; see `relprop.evaluate.removal_curve`."""
    check_settings(model, batch_size)
    inputs = inputs_of(model, x, removed)
    found = _units(units, inputs)
    gone = counts(steps, found.count, spacing)
    becomes, name = _becomes(fill, inputs, seed)
    return Subject(model, inputs, found, gone, becomes, name, batch_size, seed)


def check_settings(model: Callable[..., Any], batch_size: object) -> None:
    """InputError for a model that is training, or a size of batches that is none."""
    if isinstance(model, nn.Module) and model.training:
        raise InputError("the model is in training mode", "eval mode", "call model.eval() first")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}", "a whole number > 0", "batch_size=256")


def inputs_of(model: Callable[..., Any], x: Any, removed: str | None) -> Inputs:
    """What the model is called with, on its device."""
    values = {"x": x} if isinstance(x, Tensor) else dict(x) if isinstance(x, Mapping) else {}
    tensors = [name for name, value in values.items() if isinstance(value, Tensor)]
    if not tensors or (removed is not None and removed not in tensors):
        raise InputError(
            f"x of type {type(x).__name__}, without {removed or 'a tensor'} to work on",
            "a tensor (n, *features), or a mapping from names to such tensors",
            f"removed={tensors[0]!r}" if tensors else "torch.as_tensor(x)",
        )
    chosen = removed or tensors[0]
    if values[chosen].ndim < 2 or len(values[chosen]) == 0:
        raise InputError(
            f"an input of shape {tuple(values[chosen].shape)}",
            "(n, *features), n >= 1",
            "add the batch dimension: x[None]",
        )
    device = _device(model, values[chosen])
    moved = {n: v.detach().to(device) if n in tensors else v for n, v in values.items()}
    return Inputs(moved, ("x",) if isinstance(x, Tensor) else (), (chosen,))


def _device(model: Callable[..., Any], x: Tensor) -> torch.device:
    first = next(model.parameters(), x) if isinstance(model, nn.Module) else x
    return first.device


def _becomes(fill: Any, inputs: Inputs, seed: int) -> tuple[Tensor | Fill | Deletion, str]:
    """What removed entries become, as `Subject` has it, and its name."""
    if isinstance(fill, Deletion):
        check_deletion(fill, inputs.values, inputs.explained[0])
        return fill, fill.name
    how, x = as_fill(fill), inputs.first
    if how.each_step:
        return how, how.name
    return filled(how, x, torch.ones_like(x, dtype=torch.bool), seeded(seed)), how.name


def _units(units: Units | Maker | None, inputs: Inputs) -> Units:
    x = inputs.first
    mask = inputs.values.get("attention_mask")
    if units is None and isinstance(mask, Tensor) and mask.shape == x.shape[:2]:
        units = tokens(mask)  # padding is no token
    made = units if isinstance(units, Units) else (units or default)(x)
    check_units(made, x)
    return Units(made.index.to(x.device), made.count.to(x.device))
