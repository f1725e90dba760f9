"""Random changes of time series: values scaled, noise added, time stretched.

Takes settings and prepared series. Gives a function of a batch of them, which draws from torch's
global random numbers and leaves a mask channel as it is. Must not know networks.

    n  series      c  channels      t  steps
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..networks.family import Settings

_ALLOWED = {
    "noise": "standard deviations, 0 or more",
    "scale": "a fraction, 0 or more",
    "stretch": "a fraction, 0 to below 1",
}


def augment_series(settings: Settings, samples: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Return a function that changes a batch of series, (n, c, t), each in its own way.

    Args:
        settings: `stretch`: play a series slower or faster, by up to this fraction, around a
            random moment. `scale`: multiply its values by a random number, of mean 1 and this
            standard deviation. `noise`: add random numbers of this standard deviation.
        samples: All training series, which show whether the last channel is a mask.

    Returns:
        The function; None where all are 0 or missing.

    Raises:
        InputError: A setting is out of range.
    """
    noise, scale, stretch = (_checked(settings, name) for name in _ALLOWED)
    if not (noise or scale or stretch):
        return None
    masked = has_mask(samples)

    def augment(series: Tensor) -> Tensor:
        values, mask = (series[:, :-1], series[:, -1:]) if masked else (series, None)
        if stretch:
            values = stretch_time(values, mask, stretch)
        if scale:
            values = values * (1 + scale * torch.randn(len(values), 1, 1, device=values.device))
        if noise:
            values = values + noise * torch.randn_like(values)
        return values if mask is None else torch.cat([values * mask, mask], 1)

    return augment


def has_mask(samples: Tensor) -> bool:
    """Tell whether the last channel of prepared series is a mask.

    A mask is 0 or 1 everywhere and 1 at the first step; a standardised channel cannot be: its mean
    is 0.
    """
    last = samples[:, -1]
    return bool(((last == 0) | (last == 1)).all() and (last[:, 0] == 1).all())


def stretch_time(values: Tensor, mask: Tensor | None, most: float) -> Tensor:
    """Play each series slower or faster, with linear interpolation; its ends are held.

    Args:
        values: Series, (n, c, t).
        mask: 1 where there is data, (n, 1, t); None: everywhere.
        most: The largest change, as a fraction.
    """
    n, _, steps = values.shape
    device = values.device
    last = (steps if mask is None else mask.sum(2)) - torch.ones(n, 1, device=device)  # (n, 1)
    speed = 1 + most * (2 * torch.rand(n, 1, device=device) - 1)
    moment = last * torch.rand(n, 1, device=device)
    place = moment + (torch.arange(steps, device=device) - moment) * speed  # (n, t)
    place = torch.minimum(place.clamp(min=0), last)
    before = place.floor()
    after = torch.minimum(before + 1, last)
    return torch.lerp(_at(values, before), _at(values, after), (place - before)[:, None])


def _at(values: Tensor, place: Tensor) -> Tensor:
    """Pick the values at whole places (n, t) of all channels."""
    return values.gather(2, place.long()[:, None].expand(values.shape))


def _checked(settings: Settings, name: str) -> float:
    value = settings.get(name, 0)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and 0 <= value < (1 if name == "stretch" else float("inf"))):  # type: ignore[operator]
        raise InputError(f"{name} is {value!r}", _ALLOWED[name], f"write {name}=0")
    return float(value)
