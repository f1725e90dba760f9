"""Colours and PNG images of inputs and of relevance.

Takes tensors of one sample. Gives RGBA arrays and PNG bytes. Must not know explanations, files or
figures.

    c  channels      h, w  height and width
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..support.extras import needs
from .style import MapStyle, shares

Colours = NDArray[np.uint8]  # RGBA, (h, w, 4)

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue in grey, ITU-R BT.601


def relevance_colours(
    relevance: Tensor, limit: float | None = None, style: MapStyle | None = None
) -> Colours:
    """Colour relevance (h, w); zero has the colour of the map's middle, or of its start.

    Args:
        relevance: The relevance.
        limit: The |relevance| that has full colour; None: that of the style.
        style: How relevance is coloured; None: red for the target, blue against it.
    """
    style = style or MapStyle()
    limit = style.limit_of(relevance) if limit is None else limit
    values = shares(relevance, limit, style)
    middle = style.has_middle
    return _apply_colour_map(((values + 1) / 2 if middle else values).numpy(), style.cmap)


def input_colours(sample: Tensor, low: float | None = None, high: float | None = None) -> Colours:
    """Colour a picture, (h, w) or (3, h, w).

    Args:
        sample: The picture.
        low: The value that is black; None: its smallest.
        high: The value that is white; None: its largest.
    """
    values = sample.detach().cpu().double()
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    scaled = ((values - low) / ((high - low) or 1.0)).clamp(0, 1).numpy()
    if scaled.ndim == 2:
        return _apply_colour_map(scaled, "gray")
    rgb = (scaled.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2)


def overlay_colours(picture: Colours, relevance: Tensor, limit: float, style: MapStyle) -> Colours:
    """Lay the colours of relevance over a grey picture, the stronger the relevance the fuller."""
    strength = shares(relevance, limit, style).abs().sqrt().numpy()[..., None]
    grey = (picture[..., :3] @ np.array(_LUMINANCE))[..., None]
    light = 255 - (255 - grey) * 0.6  # so that a dark picture does not hide dark colours
    full = relevance_colours(relevance, limit, style)[..., :3]
    mixed = light * (1 - strength) + full * strength
    return np.concatenate([mixed.round().astype(np.uint8), picture[..., 3:]], axis=2)


def masked_colours(picture: Colours, relevance: Tensor, limit: float, style: MapStyle) -> Colours:
    """Show a picture where it is relevant, and grey elsewhere."""
    strength = shares(relevance, limit, style).abs().sqrt().numpy()[..., None]
    mixed = picture[..., :3] * strength + 128 * (1 - strength)
    return np.concatenate([mixed.round().astype(np.uint8), picture[..., 3:]], axis=2)


def ink_on(red: int, green: int, blue: int) -> str:
    """Choose black or white letters on a ground of a colour: a contrast of 4.5 to 1 at least.

    Source: Web Content Accessibility Guidelines 2.2, relative luminance.
    """
    parts = np.array([red, green, blue]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def png(colours: Colours, enlarge: int = 1) -> bytes:
    """Encode colours as a PNG image.

    Args:
        colours: The image.
        enlarge: How many image pixels wide and high each entry is.
    """
    with needs("plot", "images"):
        from matplotlib.image import imsave
    buffer = BytesIO()
    no_stamp = {"Software": None}  # else the file names the version of matplotlib
    pixels = colours.repeat(enlarge, 0).repeat(enlarge, 1)
    imsave(buffer, pixels, format="png", metadata=no_stamp)  # type: ignore[arg-type]
    return buffer.getvalue()


def _apply_colour_map(values: NDArray[Any], name: str) -> Colours:
    with needs("plot", "images"):
        from matplotlib import colormaps
    colours: Colours = colormaps[name](values, bytes=True)
    return colours
