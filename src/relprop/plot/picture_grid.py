"""Several relevance maps of each picture: rows are samples, columns are targets, methods or layers.

Takes the view of a batch, with a sample for each map, and names of the columns. Gives a matplotlib
Figure, and what a page shows. Must not know explanations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from ..support.extras import needs
from ..support.figures import as_written
from .colours import Colours
from .html import Card, Image, is_small, output_bars, png_url, scale_ends
from .picture_figure import CAPTION_LETTERS, SIDE, add_scale, draw_panel
from .pictures import Panel, PictureStyle, picture_panels
from .style import MapStyle
from .view import BatchView, SampleView, caption

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION, TITLE, SCALE = 0.62, 0.35, 0.9  # inches: below a picture, above all, of the scale


@dataclass(frozen=True)
class MapRow:
    """The images of one sample.

    Attributes:
        sample: The sample, with its first map.
        panels: Images, from left to right.
        titles: What each column is.
        captions: What is below each image.
    """

    sample: SampleView
    panels: Sequence[Panel]
    titles: Sequence[str]
    captions: Sequence[str]


def grid_rows(
    view: BatchView, names: Sequence[str], style: MapStyle, pictures: PictureStyle
) -> list[MapRow]:
    """Draw the maps of each sample; the input is drawn once.

    Args:
        view: Of each sample one view for each map, after one another.
        names: Names of the maps.
        style: How relevance is coloured.
        pictures: Which panels.
    """
    maps = list(zip(view.samples, view.limits(style), strict=True))
    rows = []
    for start in range(0, len(maps), len(names)):
        row = MapRow(maps[start][0], [], [], [])
        for name, (sample, limit) in zip(names, maps[start : start + len(names)], strict=True):
            for panel in picture_panels(sample, limit, style, pictures):
                below = _below(view, sample, panel, style)
                row = _with_panel(row, name, panel, below)
        rows.append(row)
    return rows


def _below(view: BatchView, sample: SampleView, panel: Panel, style: MapStyle) -> str:
    """Say below an image what the model said, or what was explained and the map's own limit."""
    if panel.limit is None:
        return caption(view, sample)
    explained = f"explained: {sample.explained}" if sample.explained else ""
    limit = f"limit {panel.limit:.2g}" if style.limits == "sample" else ""
    return "; ".join(filter(None, [explained, limit]))


def _with_panel(row: MapRow, name: str, panel: Panel, below: str) -> MapRow:
    """Add an image to a row, but the input only once."""
    if panel.limit is None and any(one.limit is None for one in row.panels):
        return row
    title = f"{name}: {panel.title}"
    if panel.limit is None:
        title = panel.title
    elif panel.title == "relevance":
        title = name
    return MapRow(row.sample, [*row.panels, panel], [*row.titles, title], [*row.captions, below])


def map_grid_figure(
    view: BatchView, names: Sequence[str], style: MapStyle, pictures: PictureStyle
) -> "Figure":
    """Draw a row of images for each sample; arguments as of `grid_rows`."""
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    rows = grid_rows(view, names, style, pictures)
    columns = len(rows[0].panels)
    height, width = rows[0].panels[0].colours.shape[:2]
    size = (columns * SIDE + SCALE, len(rows) * (SIDE * height / width + CAPTION) + TITLE)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for row, line in zip(rows, grid, strict=True):
        for panel, below, axes in zip(row.panels, row.captions, line, strict=True):
            draw_panel(axes, panel)
            axes.set_xlabel(fill(below, CAPTION_LETTERS), fontsize=8)
    for title, axes in zip(rows[0].titles, grid[0], strict=True):
        axes.set_title(fill(title, CAPTION_LETTERS), fontsize=9)
    limits = [panel.limit for panel in rows[0].panels if panel.limit is not None]
    if limits:
        shared = style.limits != "sample"
        add_scale(figure, grid, limits[0] if shared else 1.0, style, "" if shared else "limit")
    return as_written(figure)


def grid_cards(
    view: BatchView,
    names: Sequence[str],
    style: MapStyle,
    pictures: PictureStyle,
    encode: Callable[[Colours], str] = png_url,
) -> list[Card]:
    """Show the images of each sample in a card; arguments as of `grid_rows`."""
    cards = []
    for row in grid_rows(view, names, style, pictures):
        images = [
            Image(
                encode(panel.colours),
                f"{title}: {below}" if below else title,
                f"{title} of sample {row.sample.index}, {below}",
                is_small(panel.colours),
            )
            for panel, title, below in zip(row.panels, row.titles, row.captions, strict=True)
        ]
        limits = [panel.limit for panel in row.panels if panel.limit is not None]
        ends = None
        if limits:
            ends = scale_ends(limits[0] if style.limits != "sample" else None, style)
        cards.append(
            Card(caption(view, row.sample), "", output_bars(view, row.sample), ends, images)
        )
    return cards
