"""Colours and PNGs of inputs and of relevance.

Takes tensors of one sample. Knows nothing of explanations, files or figures.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .extras import needs

# Red speaks for the target, blue against it, white says nothing: told apart in every common form
# of colour blindness, and by lightness from the middle outwards.
HEATMAP_COLOURS = "RdBu_r"

Colours = NDArray[np.uint8]  # (height, width, 4)


def relevance_colours(relevance: Tensor) -> Colours:
    """Relevance (height, width) as colours: white is 0, full colour the largest |relevance|."""
    values = relevance.detach().cpu().double()
    scale = float(values.abs().max()) or 1.0  # a map of zeros is all white
    return _mapped((values / scale / 2 + 0.5).numpy(), HEATMAP_COLOURS)


def input_colours(sample: Tensor) -> Colours:
    """A sample (height, width), or (3, height, width), black at its smallest value."""
    values = sample.detach().cpu().double()
    low, high = float(values.min()), float(values.max())
    scaled = ((values - low) / ((high - low) or 1.0)).numpy()
    if scaled.ndim == 2:
        return _mapped(scaled, "gray")
    pixels = (scaled.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)


def _mapped(values: NDArray[Any], name: str) -> Colours:
    with needs("demo", "pictures"):
        from matplotlib import colormaps
    colours: Colours = colormaps[name](values, bytes=True)
    return colours


def png(colours: Colours) -> bytes:
    """The colours as a PNG, one pixel each."""
    with needs("demo", "pictures"):
        from matplotlib.image import imsave
    buffer = BytesIO()
    nothing = {"Software": None}  # or the file names the version of matplotlib
    imsave(buffer, colours, format="png", metadata=nothing)  # type: ignore[arg-type]
    return buffer.getvalue()
