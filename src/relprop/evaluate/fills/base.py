"""The record of a fill, which replaces removed entries, and the check of the values it returns.

Takes a batch and what is removed of it. Gives values. Must not know the model.

n  samples      features  of one sample; (c, h, w) for images
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ...errors import InputError
from ...support.checks import is_finite

FillFunction = Callable[[Tensor, Tensor, Generator], Tensor]


@dataclass(frozen=True)
class Fill:
    """A way to replace removed entries.

    Attributes:
        name: Name of the fill, which curves carry.
        values: Function (x, removed, generator) -> values. x is the whole batch (n, *features),
            whatever the batch size; removed is boolean, of the same shape; generator is a
            torch.Generator on the CPU. Values, (n, *features), are used where removed is True.
        each_step: Whether values depend on what is removed. Then they are computed at every step,
            each time with the generator in its first state; else once, with everything removed.

    Example:
        >>> import torch
        >>> from relprop.evaluate import Fill, remove_units
        >>> ones = Fill("ones", lambda x, removed, generator: torch.ones_like(x))
        >>> x = torch.tensor([[3.0, 5.0]])
        >>> remove_units(x, x, 0.5, fill=ones).tolist()
        [[3.0, 1.0]]
    """

    name: str
    values: FillFunction
    each_step: bool = False


def fill_values(fill: Fill, x: Tensor, removed: Tensor, generator: Generator) -> Tensor:
    """Return the values of a fill, in x's shape and dtype. Raises InputError for unfit values."""
    values = fill.values(x, removed, generator)
    if not isinstance(values, Tensor) or values.shape != x.shape:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(
            f'the fill "{fill.name}" returned {got} for x of shape {tuple(x.shape)}',
            "a tensor of the shape of x",
            "return one value for each entry: values.expand_as(x)",
        )
    if values.is_floating_point() and not x.is_floating_point():
        raise InputError(
            f'the fill "{fill.name}" returned {values.dtype} for x of {x.dtype}',
            "whole numbers, as token ids and categories are",
            'pass the id of a mask token, or fill="mode", or fill="marginal"',
        )
    if not is_finite(values):
        raise InputError(
            f'the fill "{fill.name}" returned NaN or infinite values',
            "finite values",
            "look at its formula and its data",
        )
    return values.to(x.dtype)


def cpu_generator(seed: int) -> Generator:
    """Create a generator on the CPU, so that a seed means the same on every device."""
    return torch.Generator().manual_seed(seed)
