"""Texts as a figure: tokens in lines, each on a ground coloured by its relevance.

Takes tokens with numbers. Gives a matplotlib Figure, without pyplot and its global state.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..support.extras import needs
from ..support.figures import as_written
from .colours import ink_on, relevance_colours
from .style import MapStyle, limits_of
from .texts import Token
from .view import BatchView, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, LINE, HEAD = 7.5, 0.3, 0.55  # inches: a line wide and high, the title of a sample
LETTERS = 84  # of a fixed width that fill a line


def text_figure(view: BatchView, texts: Sequence[Sequence[Token]], style: MapStyle) -> "Figure":
    """Draw the tokens of each sample; special ones are in italics."""
    with needs("plot", "figures"):
        from matplotlib.figure import Figure
    broken = [_lines(tokens) for tokens in texts]
    heights = [HEAD + LINE * len(lines) for lines in broken]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = figure.subplots(len(texts), 1, squeeze=False, height_ratios=heights)[:, 0]
    # Of words, whose relevance is that of several tokens.
    values = [torch.tensor([token.relevance for token in tokens]) for tokens in texts]
    limits = limits_of(values, torch.cat(values), style)
    for sample, lines, limit, axes in zip(view.samples, broken, limits, grid, strict=True):
        axes.set_title(title(view, sample), fontsize=9, loc="left")
        axes.set(xlim=(0, LETTERS), ylim=(len(lines), 0))
        axes.axis("off")
        for row, line in enumerate(lines):
            _draw_line(axes, row, line, limit, style)
    return as_written(figure)


def _lines(tokens: Sequence[Token]) -> list[list[Token]]:
    """Break tokens into lines."""
    lines: list[list[Token]] = [[]]
    used = 0
    for token in tokens:
        width = len(token.text) + 1
        if lines[-1] and used + width > LETTERS:
            lines.append([])
            used = 0
        lines[-1].append(token)
        used += width
    return lines


def _draw_line(
    axes: "Axes", row: int, line: Sequence[Token], limit: float, style: MapStyle
) -> None:
    from matplotlib.patches import Rectangle

    place = 0
    for token in line:
        width = len(token.text)
        ground = relevance_colours(torch.tensor([[token.relevance]]), limit, style)[0, 0]
        red, green, blue = (int(part) for part in ground[:3])
        colour = (red / 255, green / 255, blue / 255)
        axes.add_patch(Rectangle((place, row + 0.1), width + 0.6, 0.8, color=colour))
        axes.text(
            *(place + 0.3 + width / 2, row + 0.5, token.text),
            ha="center",
            va="center",
            fontsize=8,
            family="monospace",
            color=ink_on(red, green, blue),
            style="italic" if token.special else "normal",
        )
        place += width + 1
