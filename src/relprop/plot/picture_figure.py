"""Pictures of samples as a figure: a row for each, with a scale of the relevance.

Takes the view of a batch. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..support.extras import needs
from ..support.figures import as_written
from .pictures import Panel, PictureStyle, picture_panels
from .style import MapStyle
from .view import BatchView, caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

SIDE, SCALE, CAPTION = 2.0, 0.55, 0.45  # inches: of a picture, of its scale, of its lines of text
CAPTION_LETTERS = 30  # of a caption in a line as wide as a picture


def picture_figure(view: BatchView, style: MapStyle, pictures: PictureStyle) -> "Figure":
    """Draw the panels of each sample in a row, with what was explained below."""
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    limits = view.limits(style)
    rows = [
        picture_panels(sample, limit, style, pictures)
        for sample, limit in zip(view.samples, limits, strict=True)
    ]
    columns = len(rows[0])
    height, width = rows[0][0].colours.shape[:2]
    size = (columns * SIDE + SCALE + 0.3, len(rows) * (SIDE * height / width + CAPTION) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for sample, panels, axes in zip(view.samples, rows, grid, strict=True):
        for panel, one in zip(panels, axes, strict=True):
            draw_panel(one, panel)
        _set_captions(axes, caption(view, sample), f"explained: {sample.explained}")
        limit = max((panel.limit for panel in panels if panel.limit), default=None)
        if limit is not None and style.limits == "sample":
            add_scale(figure, axes, limit, style)
    for one, panel in zip(grid[0], rows[0], strict=True):
        one.set_title(panel.title, fontsize=9)
    if style.limits != "sample" and any(panel.limit for panel in rows[0]):
        add_scale(figure, grid, limits[0], style)
    return as_written(figure)


def _set_captions(axes: "Sequence[Axes]", left: str, right: str) -> None:
    """Write below the first and the last image, each within its own width."""
    if len(axes) == 1:
        axes[0].set_xlabel(fill(f"{left}; {right}" if left else right, CAPTION_LETTERS), fontsize=8)
        return
    axes[0].set_xlabel(fill(left, CAPTION_LETTERS), fontsize=8)
    axes[-1].set_xlabel(fill(right, CAPTION_LETTERS), fontsize=8)


def draw_panel(axes: "Axes", panel: Panel) -> None:
    """Draw an image without ticks."""
    axes.imshow(panel.colours)  # enlarged as it is, made smaller with a filter that drops no pixel
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor("#c9ced6")


def add_scale(
    figure: "Figure", axes: object, limit: float, style: MapStyle, unit: str = ""
) -> None:
    """Draw the scale of the colours beside images.

    Args:
        figure: The figure.
        axes: The images.
        limit: The relevance of full colour, in units.
        style: How relevance is coloured.
        unit: What stands for one, where each image has another limit.
    """
    bar = figure.colorbar(_scale(limit, style), ax=axes, fraction=0.06, pad=0.02)  # type: ignore[arg-type]
    ends = [-limit, 0.0, limit] if style.sign == "all" else [0.0, limit]
    labels = [f"{'-' if end < 0 else ''}{unit}" if unit and end else f"{end:.2g}" for end in ends]
    bar.set_ticks(ends, labels=labels)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_edgecolor("#c9ced6")


def _scale(limit: float, style: MapStyle) -> "ScalarMappable":
    """Return the colours from the smallest relevance that is shown to the largest."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    whole, signs = colormaps[style.cmap], style.sign == "all"
    start = 0.5 if style.has_middle and not signs else 0.0
    colours = ListedColormap(whole(np.linspace(start, 1, 256)))
    return ScalarMappable(Normalize(-limit if signs else 0, limit), colours)
