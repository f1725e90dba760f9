"""Fills by name, and the conversion of everything that a user may pass as a fill.

To add a fill, write its function in a module of this folder and its line in `FILLS`: `fill="name"`,
the command line, and the tests of all fills then take it up.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ...errors import InputError
from . import from_data
from .base import Fill
from .blur import blur
from .imputation import neighbours

# name -> function from the data to look at, (m, *features), or None for the batch itself
FILLS: Mapping[str, Callable[..., Fill]] = MappingProxyType(
    {
        "zero": lambda data=None: from_data.constant(0, "zero"),
        "mean": from_data.mean,
        "sample-mean": lambda data=None: from_data.sample_mean(),
        "mode": from_data.mode,
        "uniform": from_data.uniform,
        "gaussian": from_data.gaussian,
        "marginal": from_data.marginal,
        "blur": lambda data=None: blur(),
        "neighbours": lambda data=None: neighbours(data=data),
    }
)


def as_fill(fill: Any, data: Tensor | None = None) -> Fill:
    """Convert what a user passed as a fill: a name, number, tensor, function, or a Fill.

    Args:
        fill: What was passed.
        data: Samples that a named fill looks at, (m, *features); None: the batch itself.

    Raises:
        InputError: An unknown name, or another type.
    """
    if isinstance(fill, Fill):
        return fill
    if isinstance(fill, Tensor):
        return from_data.baseline(fill)
    if isinstance(fill, (int, float)) and not isinstance(fill, bool):
        return from_data.constant(fill)
    if callable(fill):
        return Fill(getattr(fill, "__name__", "custom"), fill, each_step=True)
    if not isinstance(fill, str) or fill not in FILLS:
        raise InputError(
            f"fill={fill!r}",
            f"one of {', '.join(FILLS)}; a number, a tensor, a function or a Fill",
            'write fill="zero"',
        )
    return FILLS[fill](data)
