"""The page: everything a demo found in one self-contained HTML file.

Takes a Demo. Gives HTML that asks for nothing from elsewhere: styles inline, pictures as data.
"""

import shlex
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evaluate import ORDERS
from ..support.extras import needs
from ..support.heatmap import png
from . import wording
from .experiment import MAIN_RECIPE, POSTER, RECIPES
from .gallery import Tile, network_grid, recipe_grid, removal_grid
from .plot import (
    DARK,
    LIGHT,
    curves_figure,
    scale_colours,
    shares_figure,
    tile_colours,
    to_bytes,
)
from .run import Demo, Settings

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A figure as addresses that hold the picture itself, for light and dark pages."""

    light: str
    dark: str
    alt: str


def page(demo: Demo) -> str:
    """The page as HTML text."""
    return (
        _environment()
        .get_template("demo.html")
        .render(
            demo=demo,
            table=demo.table,
            used=len(demo.digits.labels),
            grids={
                "removal": removal_grid(demo.examples),
                "recipes": recipe_grid(demo.examples),
                "networks": network_grid(demo.examples),
            },
            shares=_shares_chart(demo),
            curves=_curve_charts(demo),
            recipes=RECIPES,
            main_recipe=MAIN_RECIPE,
            poster=POSTER,
            orders=ORDERS,
            command=command(demo.settings),
            ramp=scale_colours(),
        )
    )


def command(settings: Settings) -> str:
    """The line that makes the same numbers again."""
    words = ["relprop", "demo", "--model", settings.model]
    words += ["--digits", "all" if settings.digits is None else str(settings.digits)]
    words += ["--q", f"{settings.q:g}", "--seed", str(settings.seed)]
    if settings.data_dir is not None:
        words += ["--data-dir", str(settings.data_dir)]
    return shlex.join(words)


def _environment() -> "Environment":
    with needs("demo", "the page"):
        from jinja2 import Environment, PackageLoader, StrictUndefined
    environment = Environment(
        loader=PackageLoader("relprop.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=wording.percent,
        share=wording.share,
        share_interval=wording.share_interval,
        margin=wording.margin,
        margin_interval=wording.margin_interval,
        comparison=wording.comparison,
        layers=wording.layers,
        picture=_picture,
    )
    return environment


def _picture(tile: Tile) -> str:
    return _data("image/png", png(tile_colours(tile)))


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _chart(light: "Figure", dark: "Figure", alt: str) -> Chart:
    light_svg, dark_svg = (to_bytes(figure, "svg") for figure in (light, dark))
    return Chart(_data("image/svg+xml", light_svg), _data("image/svg+xml", dark_svg), alt)


def _shares_chart(demo: Demo) -> Chart:
    lines = (
        f"{row.recipe}: {wording.share(row.most.error_rate)} "
        f"and {wording.share(row.least.error_rate)}"
        for row in demo.table.rows
    )
    alt = "Share misread without the most and without the least relevant pixels. "
    light, dark = (shares_figure(demo.table, theme) for theme in (LIGHT, DARK))
    return _chart(light, dark, alt + "; ".join(lines))


def _curve_charts(demo: Demo) -> list[Chart]:
    charts = []
    for network in demo.networks:
        ends = (
            f"{wording.ORDER_NAMES[order]} {wording.percent(1 - cells[-1].error_rate.value)}"
            for order, cells in network.curves.items()
        )
        alt = (
            f"{network.name}: share read correctly as pixels are removed, from "
            f"{wording.percent(1 - network.untouched.error_rate.value)} to, at "
            f"{100 * network.steps[-1]:g}%: {', '.join(ends)}"
        )
        light, dark = (curves_figure([network], theme) for theme in (LIGHT, DARK))
        charts.append(_chart(light, dark, alt))
    return charts
