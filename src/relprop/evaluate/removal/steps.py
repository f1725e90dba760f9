"""Steps of a removal curve: how many units are removed in each of its columns.

Takes the user's steps, and the number of units per sample. Must not know what a unit is.

n  samples      d  units of a sample      s  steps, so that a curve has s + 1 columns
"""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError

Spacing = Literal["linear", "log"]
Steps = int | Sequence[int] | Sequence[float]

_ALLOWED = "a number of steps, or rising shares such as (0.1, 0.2), or rising counts such as (1, 2)"


def removal_counts(steps: Steps, units: Tensor, spacing: Spacing = "linear") -> Tensor:
    """Return how many units of each sample are removed in each column of a curve.

    Args:
        steps: A number of steps up to everything; or rising shares of the units, floats in (0, 1],
            which are rounded to the nearest count; or rising counts of units.
        units: Units per sample, (1,) if all have the same number, else (n,).
        spacing: Of a number of steps: "linear", or "log" for a constant factor between steps.

    Returns:
        Counts, (1 or n, s + 1), strictly rising from 0 in the first column.

    Raises:
        InputError: Steps that are none of these, or less than a unit apart.

    Example:
        >>> removal_counts(4, torch.tensor([8])).tolist()
        [[0, 2, 4, 6, 8]]
        >>> removal_counts(4, torch.tensor([8]), "log").tolist()
        [[0, 1, 2, 4, 8]]
        >>> removal_counts((0.25, 0.5), torch.tensor([8, 4])).tolist()
        [[0, 2, 4], [0, 1, 2]]
    """
    if spacing not in ("linear", "log"):
        raise InputError(f"spacing={spacing!r}", '"linear" or "log"', 'write spacing="linear"')
    fewest = int(units.min())
    d = units.double()[:, None]  # (1 or n, 1)
    if isinstance(steps, int):
        _check_number(steps, fewest)
        counts = _linear(steps, d) if spacing == "linear" else _logarithmic(steps, d)
    else:
        counts = _listed(steps, d, fewest)
    return torch.cat([counts.new_zeros(len(counts), 1), counts], 1).long()


def share_counts(q: float, units: Tensor) -> Tensor:
    """Return how many units the share q of each sample is, rounded to the nearest, (1 or n,).

    Takes units per sample, (1 or n,). Raises InputError unless q is in (0, 1] and at least half a
    unit of every sample.

    Example:
        >>> share_counts(0.1, torch.tensor([784])).tolist()
        [78]
    """
    fewest = int(units.min())
    if not 0 < q <= 1 or round(q * fewest) < 1:
        raise InputError(
            f"q={q:g}, the share to remove of samples with {fewest} units",
            f"above 0, at most 1, and more than half a unit (q > {0.5 / fewest:.2g})",
            "write for example q=0.1",
        )
    return (q * units.double()).round().long()


def column_of(q: float, counts: Tensor, units: Tensor) -> int:
    """Return the column of a curve in which the share q of the units is removed.

    Takes counts (1 or n, s + 1) and units (1 or n,). Raises InputError if there is none.
    """
    wanted = (q * units.double()).round()[:, None] if math.isfinite(q) else units[:, None] + 1
    columns = (counts == wanted).all(0).nonzero()
    if not len(columns):
        shares = (counts[0] / units[0]).tolist()
        raise InputError(
            f"q={q:g}, of a curve that has no such step",
            ", ".join(f"{share:.3g}" for share in shares),
            f"make the curve with steps=({q:g}, ...)",
        )
    return int(columns[0, 0])


def _linear(steps: int, d: Tensor) -> Tensor:
    return (torch.arange(1, steps + 1, device=d.device) * d / steps).round()


def _logarithmic(steps: int, d: Tensor) -> Tensor:
    """Return 1, d ** (1 / (s - 1)), ... d, rounded; where these repeat, the next whole number."""
    k = torch.arange(1, steps + 1, device=d.device)
    exponents = (k - 1) / (steps - 1) if steps > 1 else torch.ones(1, device=d.device)
    # With g_j = d ** exponent_j: c_k = max over j <= k of (round(g_j) + k - j), which rises by one
    # at least. As g is convex, c ends at d even where counts were moved up before.
    return ((d**exponents).round() - k).cummax(1).values + k


def _listed(steps: Sequence[int] | Sequence[float], d: Tensor, fewest: int) -> Tensor:
    """Return the counts of steps that the user listed as shares or counts."""
    values = list(steps) if isinstance(steps, Sequence) and not isinstance(steps, str) else []
    whole = all(isinstance(value, Integral) and not isinstance(value, bool) for value in values)
    if not values or not (whole or all(isinstance(value, float) for value in values)):
        raise InputError(f"steps={steps!r}", _ALLOWED, "write steps=20")
    listed = torch.tensor(values, dtype=torch.float64, device=d.device)
    counts = listed.expand(len(d), -1) if whole else (listed * d).round()
    apart = bool((counts.diff(dim=1, prepend=torch.zeros_like(counts[:, :1])) >= 1).all())
    if not apart or values[-1] > (fewest if whole else 1):
        raise InputError(
            f"steps={steps!r} of samples with {fewest} units or more",
            f"rising shares up to 1.0, at least a unit apart, or rising counts from 1 to {fewest}",
            f"write steps={min(20, fewest)}",
        )
    return counts


def _check_number(steps: int, fewest: int) -> None:
    if isinstance(steps, bool) or not 1 <= steps <= fewest:
        raise InputError(
            f"steps={steps} of samples with {fewest} units to remove",
            f"from 1 to {fewest}",
            f"write steps={max(1, min(20, fewest))}",
        )
