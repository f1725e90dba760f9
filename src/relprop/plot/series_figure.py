"""Time series as a figure: each channel a line, on a ground coloured by its relevance.

Takes the view of a batch of (channels, length). Gives a matplotlib Figure, without pyplot.
"""

from typing import TYPE_CHECKING

from ..support.extras import needs
from ..support.figures import as_written
from .colours import relevance_colours
from .style import MapStyle
from .view import BatchView, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT, HEAD = 7.0, 0.9, 0.5  # inches: a channel wide and high, the title of a sample


def series_figure(view: BatchView, style: MapStyle, names: list[str]) -> "Figure":
    """Draw the channels of each sample below one another.

    Args:
        view: The samples.
        style: How relevance is coloured.
        names: Names of the channels.
    """
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
        from matplotlib.patheffects import withStroke
    outline = withStroke(linewidth=2.5, foreground="#ffffff")  # so that it shows on dark colours
    channels = len(names)
    size = (WIDTH, len(view.samples) * (HEAD + HEIGHT * channels))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(view.samples) * channels, 1, squeeze=False, sharex=True)[:, 0]
    for i, (sample, limit) in enumerate(zip(view.samples, view.limits(style), strict=True)):
        rows = grid[i * channels : (i + 1) * channels]
        rows[0].set_title(title(view, sample), fontsize=9, loc="left")
        for axes, name, line, relevance in zip(
            rows, names, sample.input, sample.relevance, strict=True
        ):
            values = line.detach().cpu().double().numpy()
            low, high = values.min(), values.max()
            room = 0.08 * ((high - low) or 1.0)
            box = (-0.5, len(values) - 0.5, low - room, high + room)
            ground = relevance_colours(relevance[None], limit, style)
            axes.imshow(ground, extent=box, aspect="auto", interpolation="nearest")
            axes.plot(values, color="#1d2126", linewidth=1.0, path_effects=[outline])
            axes.set_ylabel(name, fontsize=8)
            axes.tick_params(labelsize=7)
    grid[-1].set_xlabel("step", fontsize=8)
    return as_written(figure)
