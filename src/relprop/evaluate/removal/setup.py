"""From the user's arguments to a checked setup: what is removed, in which steps, and replaced how.

Takes arguments as users write them; every error about them is raised here. Must not know the order
of removal, nor run the model.

n  samples      s  steps, so that a curve has s + 1 columns
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...graph.inputs import Inputs
from ...support.model_input import line_for_input
from ..fills.base import Fill, cpu_generator, fill_values
from ..fills.registry import as_fill
from ..fills.token_deletion import Deletion, check_deletion
from .steps import Spacing, Steps, removal_counts
from .units import UnitMaker, Units, check_units, default_units, tokens

_BATCHED = "{{k: x[k][None] for k in {}}}"
Filling = str | float | Tensor | Callable[..., Tensor] | Fill | Deletion


@dataclass(frozen=True)
class RemovalSetup:
    """Everything that a removal curve needs but the model and the order.

    Attributes:
        inputs: Arguments of the model. Units of the first explained one are removed.
        units: Entries that are removed together.
        counts: How many units are removed in each column of a curve, (1 or n, s + 1).
        replacement: Values (n, *features) that are the same at every step; or a fill that computes
            them for each step; or the way in which tokens are deleted.
        fill_name: Name of the fill.
        batch_size: Most samples in a forward pass.
        seed: Random seed of orders, ties and fills.
    """

    inputs: Inputs
    units: Units
    counts: Tensor
    replacement: Tensor | Fill | Deletion
    fill_name: str
    batch_size: int
    seed: int

    @property
    def x(self) -> Tensor:
        """The input whose entries are removed, (n, *features)."""
        return self.inputs.first


def prepare_removal(
    model: Any,
    x: Tensor | Mapping[str, Any],
    *,
    fill: Filling,
    steps: Steps,
    spacing: Spacing = "linear",
    units: Units | UnitMaker | None,
    remove_from: str | None,
    batch_size: int = 256,
    seed: int,
) -> RemovalSetup:
    """Check the arguments of `relprop.evaluate.removal_curve`, and resolve them for this batch."""
    check_model(model)
    check_batch_size(batch_size)
    inputs = model_inputs(model, x, remove_from)
    units = _resolve_units(units, inputs)
    counts = removal_counts(steps, units.count, spacing)
    replacement, name = _resolve_fill(fill, inputs, seed)
    return RemovalSetup(inputs, units, counts, replacement, name, batch_size, seed)


def check_model(model: Any) -> None:
    """Raise InputError for what is no function of a batch, and for a model in training mode."""
    if not callable(model) or isinstance(model, (type, Tensor)):
        given = f"a model of type {type(model).__name__}"
        todo = 'give a module, such as relprop.load_model("mnist-cnn")'
        raise InputError(given, "a torch.nn.Module, or a function from a batch to scores", todo)
    if isinstance(model, nn.Module) and model.training:
        raise InputError("the model is in training mode", "eval mode", "call model.eval() first")


def check_batch_size(batch_size: object) -> None:
    """Raise InputError unless a batch size is a whole number > 0."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}", "a whole number > 0", "batch_size=256")


def model_inputs(model: Any, x: Any, remove_from: str | None = None) -> Inputs:
    """Return the model's arguments on its device, with the input to remove from marked.

    Args:
        model: Any callable; the parameters of a Module say which device.
        x: A tensor (n, *features), or a mapping of keyword arguments.
        remove_from: Name of the input to remove from; None: the first tensor.
    """
    named = isinstance(x, Mapping)
    values = {"x": x} if isinstance(x, Tensor) else dict(x) if named else {}
    tensors = [name for name, value in values.items() if isinstance(value, Tensor)]
    if not tensors or (remove_from is not None and remove_from not in tensors):
        raise InputError(
            f"x of type {type(x).__name__}, without {remove_from or 'a tensor'} to remove from",
            "a tensor (n, *features), or a mapping from names to such tensors",
            f"remove_from={tensors[0]!r}" if tensors else _line_for_samples(model, x),
        )
    chosen = remove_from or tensors[0]
    if values[chosen].ndim < 2 or len(values[chosen]) == 0:
        raise InputError(
            f"an input of shape {tuple(values[chosen].shape)}",
            "(n, *features), n >= 1",
            f"add the batch dimension: {_BATCHED.format(tensors) if named else 'x[None]'}",
        )
    device = _device(model, values[chosen])
    moved = {n: v.detach().to(device) if n in tensors else v for n, v in values.items()}
    return Inputs(moved, ("x",) if isinstance(x, Tensor) else (), (chosen,))


def _line_for_samples(model: Any, x: Any) -> str:
    line = line_for_input(model, x, whole=True)
    takes = line and not line.startswith("explainer.")
    return f"write {line}" if takes else "give the tensor that the model is called with"


def _device(model: Any, x: Tensor) -> torch.device:
    first = next(model.parameters(), x) if isinstance(model, nn.Module) else x
    return first.device


def _resolve_fill(fill: Filling, inputs: Inputs, seed: int) -> tuple[Tensor | Fill | Deletion, str]:
    """Return the replacement, as `RemovalSetup` has it, and its name."""
    if isinstance(fill, Deletion):
        check_deletion(fill, inputs.values, inputs.explained[0])
        return fill, fill.name
    resolved, x = as_fill(fill), inputs.first
    if resolved.each_step:
        return resolved, resolved.name
    everything = torch.ones_like(x, dtype=torch.bool)
    return fill_values(resolved, x, everything, cpu_generator(seed)), resolved.name


def _resolve_units(units: Units | UnitMaker | None, inputs: Inputs) -> Units:
    x = inputs.first
    mask = inputs.values.get("attention_mask")
    if units is None and isinstance(mask, Tensor) and mask.shape == x.shape[:2]:
        units = tokens(mask)  # so that padding is never removed
    resolved = units if isinstance(units, Units) else (units or default_units)(x)
    check_units(resolved, x)
    return Units(resolved.index.to(x.device), resolved.count.to(x.device))
