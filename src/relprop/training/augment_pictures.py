"""Random changes of pictures: mirrored, moved, turned, zoomed, other colours, a square cut out.

Takes settings. Gives a function of a batch of pictures, which draws from torch's global random
numbers. A picture's new pixels are those of its border, repeated.

    n  pictures      c  channels      h, w  height and width
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..networks.family import Settings

_ALLOWED = {
    "flip": "True or False",
    "shift": "whole pixels, 0 or more",
    "rotate": "degrees, 0 to 180",
    "zoom": "a fraction, 0 to below 1",
    "colour": "a fraction, 0 to below 1",
    "cutout": "whole pixels, 0 or more",
}
_WHOLE = ("shift", "cutout")
_BELOW = {"shift": math.inf, "rotate": 180.001, "zoom": 1, "colour": 1, "cutout": math.inf}


def augment_pictures(settings: Settings) -> Callable[[Tensor], Tensor] | None:
    """Return a function that changes a batch of pictures, (n, c, h, w), each in its own way.

    Args:
        settings: `flip`: mirror every other picture. `shift`: move by up to so many pixels, each
            way. `rotate`: turn by up to so many degrees. `zoom`: scale by up to this fraction.
            `colour`: change brightness, contrast and saturation by up to this fraction. `cutout`:
            set a square of so many pixels a side to 0, the mean of the training pictures.

    Returns:
        The function; None where all are 0 or missing.

    Raises:
        InputError: A setting is out of range.
    """
    flip, shift, rotate, zoom, colour, cutout = (_checked(settings, name) for name in _ALLOWED)
    steps: list[Callable[[Tensor], Tensor]] = []
    if flip:
        steps.append(mirror_some)
    if rotate or zoom:
        steps.append(lambda x: transform_affinely(x, rotate=rotate, zoom=zoom, shift=shift))
    elif shift:
        steps.append(lambda x: move(x, int(shift)))
    if colour:
        steps.append(lambda x: change_colours(x, colour))
    if cutout:
        steps.append(lambda x: cut_out(x, int(cutout)))
    if not steps:
        return None

    def augment(pictures: Tensor) -> Tensor:
        for step in steps:
            pictures = step(pictures)
        return pictures

    return augment


def _checked(settings: Settings, name: str) -> float:
    value = settings.get(name, 0)
    kinds = (int,) if name in _WHOLE else (int, float)
    is_number = isinstance(value, kinds) and (name == "flip") == isinstance(value, bool)
    if value != 0 and not (is_number and 0 <= value < _BELOW.get(name, 2)):  # type: ignore[operator]
        raise InputError(f"{name} is {value!r}", _ALLOWED[name], f"write {name}=0")
    return float(value)


def mirror_some(pictures: Tensor) -> Tensor:
    """Mirror each picture, left to right, with a probability of one half."""
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < 0.5
    return torch.where(chosen, pictures.flip(3), pictures)


def move(pictures: Tensor, most: int) -> Tensor:
    """Move each picture by whole pixels, from -most to most, down and to the right."""
    n, _, height, width = pictures.shape
    padded = F.pad(pictures, [most] * 4, mode="replicate")
    down, right = torch.randint(2 * most + 1, (2, n, 1), device=pictures.device)
    rows = (torch.arange(height, device=pictures.device) + down)[:, :, None]  # (n, h, 1)
    columns = (torch.arange(width, device=pictures.device) + right)[:, None]  # (n, 1, w)
    samples = torch.arange(n, device=pictures.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[samples, rows, columns].permute(0, 3, 1, 2)


def transform_affinely(pictures: Tensor, *, rotate: float, zoom: float, shift: float) -> Tensor:
    """Turn, zoom and move each picture, with bilinear interpolation.

    Args:
        pictures: Pictures, (n, c, h, w).
        rotate: The largest angle, in degrees.
        zoom: The largest change of size, as a fraction.
        shift: The largest move, in pixels.
    """
    height, width = pictures.shape[2:]
    amounts = torch.rand(4, len(pictures), device=pictures.device) * 2 - 1
    angle, scale = amounts[0] * math.radians(rotate), 1 + amounts[1] * zoom
    cos, sin = angle.cos() * scale, angle.sin() * scale
    # affine_grid measures in half pictures, along both sides
    left, up = amounts[2] * shift * 2 / width, amounts[3] * shift * 2 / height
    across = height / width
    matrix = torch.stack([cos, -sin * across, left, sin / across, cos, up], 1).reshape(-1, 2, 3)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)  # (n, h, w, 2)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def change_colours(pictures: Tensor, most: float) -> Tensor:
    """Change brightness, contrast and saturation of each picture.

    Args:
        pictures: Standardised pictures, (n, c, h, w).
        most: The largest change: of the brightness, in standard deviations; of the distance of
            pixels from the mean of their picture and channel (contrast), and of channels from their
            mean (saturation), as a fraction.
    """
    n, device = len(pictures), pictures.device
    changes = most * (2 * torch.rand(3, n, 1, 1, 1, device=device) - 1)
    brightness, contrast, saturation = changes[0], 1 + changes[1], 1 + changes[2]
    mean = pictures.mean((2, 3), keepdim=True)  # (n, c, 1, 1)
    pictures = torch.lerp(mean, pictures, contrast) + brightness
    gray = pictures.mean(1, keepdim=True)  # (n, 1, h, w)
    return torch.lerp(gray, pictures, saturation)


def cut_out(pictures: Tensor, side: int) -> Tensor:
    """Set a square of each picture to 0; its middle is any pixel, so that it may be cut off."""
    n, _, height, width = pictures.shape
    device = pictures.device
    rows = _in_interval(height, side, n, device)[:, None, :, None]
    columns = _in_interval(width, side, n, device)[:, None, None, :]
    return pictures.masked_fill(rows & columns, 0)


def _in_interval(length: int, side: int, n: int, device: torch.device) -> Tensor:
    """Tell which of `length` places are in a random interval of `side`, (n, length)."""
    start = torch.randint(length, (n, 1), device=device) - side // 2
    places = torch.arange(length, device=device)
    return (places >= start) & (places < start + side)
