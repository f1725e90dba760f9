"""Colours and PNG images of inputs and of relevance.

Takes tensors of one sample. Gives RGBA arrays and PNG bytes. Must not know explanations, files or
figures.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .extras import needs

# Red is relevance for the target, blue against it, white none: distinguishable under every common
# form of colour blindness, and by lightness from the middle outwards.
HEATMAP_COLOURS = "RdBu_r"

Colours = NDArray[np.uint8]  # RGBA, (height, width, 4)


def relevance_colours(relevance: Tensor) -> Colours:
    """Colour relevance (height, width): white is 0, full colour the largest |relevance|."""
    values = relevance.detach().cpu().double()
    scale = float(values.abs().max()) or 1.0  # a map of zeros is all white
    return _apply_colour_map((values / scale / 2 + 0.5).numpy(), HEATMAP_COLOURS)


def input_colours(sample: Tensor) -> Colours:
    """Colour a sample, (height, width) or (3, height, width), black at its smallest value."""
    values = sample.detach().cpu().double()
    low, high = float(values.min()), float(values.max())
    scaled = ((values - low) / ((high - low) or 1.0)).numpy()
    if scaled.ndim == 2:
        return _apply_colour_map(scaled, "gray")
    rgb = (scaled.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2)


def png(colours: Colours) -> bytes:
    """Encode colours as a PNG image, one image pixel per entry."""
    with needs("demo", "images"):
        from matplotlib.image import imsave
    buffer = BytesIO()
    no_stamp = {"Software": None}  # else the file names the version of matplotlib
    imsave(buffer, colours, format="png", metadata=no_stamp)  # type: ignore[arg-type]
    return buffer.getvalue()


def _apply_colour_map(values: NDArray[Any], name: str) -> Colours:
    with needs("demo", "images"):
        from matplotlib import colormaps
    colours: Colours = colormaps[name](values, bytes=True)
    return colours
