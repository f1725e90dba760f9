"""Steps of a curve: how many units are gone in each of its columns.

n  samples      d  units of one sample      s  steps
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

ALLOWED = "a number of steps, or rising shares such as (0.1, 0.2), or rising counts such as (1, 2)"


def counts(steps: Steps, units: Tensor, spacing: Spacing = "linear") -> Tensor:
    """How many units of each sample are gone in each column; the first column is 0.

    steps    a number of steps up to everything, spaced evenly or, "log", by a constant factor; or
             rising shares of the units, in (0, 1]; or rising counts of units
    units    (1,) or (n,) units of a sample
    Returns (1 or n, s + 1), each row strictly rising. Shares are rounded to the nearest count.
    """
    if spacing not in ("linear", "log"):
        raise InputError(f"spacing={spacing!r}", '"linear" or "log"', 'write spacing="linear"')
    fewest = int(units.min())
    d = units.double()[:, None]  # (1 or n, 1)
    if isinstance(steps, int):
        _check_number(steps, fewest)
        found = _linear(steps, d) if spacing == "linear" else _logarithmic(steps, d)
    else:
        found = _listed(steps, d, fewest)
    return torch.cat([found.new_zeros(len(found), 1), found], 1).long()


def _linear(steps: int, d: Tensor) -> Tensor:
    return (torch.arange(1, steps + 1, device=d.device) * d / steps).round()


def _logarithmic(steps: int, d: Tensor) -> Tensor:
    """1, d ** (1 / (s - 1)), ... d, rounded; where these would repeat, the next whole number."""
    k = torch.arange(1, steps + 1, device=d.device)
    exponents = (k - 1) / (steps - 1) if steps > 1 else torch.ones(1, device=d.device)
    # c_k = max over j <= k of (round(g_j) + k - j): rises by one at least. As g is convex, it ends
    # at d, whatever was repeated before.
    return ((d**exponents).round() - k).cummax(1).values + k


def _listed(steps: Sequence[int] | Sequence[float], d: Tensor, fewest: int) -> Tensor:
    values = list(steps) if isinstance(steps, Sequence) and not isinstance(steps, str) else []
    whole = all(isinstance(value, Integral) and not isinstance(value, bool) for value in values)
    if not values or not (whole or all(isinstance(value, float) for value in values)):
        raise InputError(f"steps={steps!r}", ALLOWED, "write steps=20")
    given = torch.tensor(values, dtype=torch.float64, device=d.device)
    found = given.expand(len(d), -1) if whole else (given * d).round()
    apart = bool((found.diff(dim=1, prepend=torch.zeros_like(found[:, :1])) >= 1).all())
    if not apart or values[-1] > (fewest if whole else 1):
        raise InputError(
            f"steps={steps!r} of samples with {fewest} units or more",
            f"rising shares up to 1.0, at least a unit apart, or rising counts from 1 to {fewest}",
            f"write steps={min(20, fewest)}",
        )
    return found


def _check_number(steps: int, fewest: int) -> None:
    if isinstance(steps, bool) or not 1 <= steps <= fewest:
        raise InputError(
            f"steps={steps} of samples with {fewest} units to remove",
            f"from 1 to {fewest}",
            f"write steps={max(1, min(20, fewest))}",
        )


def column_of(q: float, counts: Tensor, units: Tensor) -> int:
    """The column of a curve in which the share q of the units is gone.

    counts  (1 or n, s + 1)
    units   (1 or n,)
    """
    wanted = (q * units.double()).round()[:, None] if math.isfinite(q) else units[:, None] + 1
    found = (counts == wanted).all(0).nonzero()
    if not len(found):
        shares = (counts[0] / units[0]).tolist()
        raise InputError(
            f"q={q:g}, of a curve that has no such step",
            ", ".join(f"{share:.3g}" for share in shares),
            f"make the curve with steps=({q:g}, ...)",
        )
    return int(found[0, 0])
