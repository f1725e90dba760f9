"""Filling: the record of a way to fill what is removed, and the check of what it gives.

n  samples      features  of one sample; (c, h, w) for pictures
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ...errors import InputError
from ...support.numerics import is_finite

Values = Callable[[Tensor, Tensor, Generator], Tensor]


@dataclass(frozen=True)
class Fill:
    """A way to fill what is removed.

    values     (x (n, *features), gone (n, *features) boolean, a generator of the CPU's)
               -> (n, *features), looked at where something is gone. Always called with all samples,
               so that the size of batches changes nothing
    each_step  whether the values depend on what is gone: then it is called for every step, each
               time with the generator as it was at first; else once, with everything gone
    """

    name: str
    values: Values
    each_step: bool = False


def filled(fill: Fill, x: Tensor, gone: Tensor, generator: Generator) -> Tensor:
    """The values of a fill, of the shape and the dtype of x. Raises InputError for others."""
    values = fill.values(x, gone, generator)
    if not isinstance(values, Tensor) or values.shape != x.shape:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(
            f'the fill "{fill.name}" gives {got} for x of shape {tuple(x.shape)}',
            "a tensor of the shape of x",
            "return one value for each entry: values.expand_as(x)",
        )
    if values.is_floating_point() and not x.is_floating_point():
        raise InputError(
            f'the fill "{fill.name}" gives {values.dtype} for x of {x.dtype}',
            "whole numbers, as token ids and categories are",
            'give the id of a mask token, or fill="mode", or fill="marginal"',
        )
    if not is_finite(values):
        raise InputError(
            f'the fill "{fill.name}" gives NaN or infinite values',
            "finite values",
            "look at its formula and its data",
        )
    return values.to(x.dtype)


def seeded(seed: int) -> Generator:
    """A generator on the CPU, so that a seed means the same on every device."""
    return torch.Generator().manual_seed(seed)
