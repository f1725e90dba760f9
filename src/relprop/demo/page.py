"""The page: all results of a demo in one self-contained HTML file.

Takes a DemoResult. Gives HTML that loads nothing from elsewhere: styles inline, images as data.
"""

import shlex
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evaluate import ORDERS
from ..plot.colours import png
from ..support.figures import figure_bytes
from . import formatting
from .figures import (
    DARK,
    LIGHT,
    curves_figure,
    error_rates_figure,
    image_colours,
    scale_colours,
)
from .grids import GridImage, network_grid, recipe_grid, removal_grid
from .poster import POSTER
from .rule_table import MAIN_RECIPE, RECIPES
from .run import DemoResult, Settings

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A figure as data URLs, for light and for dark pages.

    Attributes:
        light: URL for light pages.
        dark: URL for dark pages.
        alt: Description for readers who cannot see the figure.
    """

    light: str
    dark: str
    alt: str


def render_page(demo: DemoResult) -> str:
    """Render the page as HTML text."""
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
            error_rates=_error_rates_chart(demo),
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
    """Return the command line that gives the same numbers again."""
    words = ["relprop", "demo", "--model", settings.model]
    words += ["--digits", "all" if settings.digits is None else str(settings.digits)]
    words += ["--q", f"{settings.q:g}", "--seed", str(settings.seed)]
    if settings.data_dir is not None:
        words += ["--data-dir", str(settings.data_dir)]
    return shlex.join(words)


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("relprop.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=formatting.percent,
        rate=formatting.rate,
        rate_interval=formatting.rate_interval,
        margin=formatting.margin,
        margin_interval=formatting.margin_interval,
        comparison=formatting.comparison,
        layers=formatting.layers,
        image_url=_image_url,
    )
    return environment


def _image_url(image: GridImage) -> str:
    return _data_url("image/png", png(image_colours(image)))


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _chart(light: "Figure", dark: "Figure", alt: str) -> Chart:
    light_svg, dark_svg = (figure_bytes(figure, "svg") for figure in (light, dark))
    return Chart(_data_url("image/svg+xml", light_svg), _data_url("image/svg+xml", dark_svg), alt)


def _error_rates_chart(demo: DemoResult) -> Chart:
    rates = (
        f"{row.recipe}: {formatting.rate(row.most.error_rate)} "
        f"and {formatting.rate(row.least.error_rate)}"
        for row in demo.table.rows
    )
    alt = "Error rate without the most and without the least relevant pixels. "
    light, dark = (error_rates_figure(demo.table, theme) for theme in (LIGHT, DARK))
    return _chart(light, dark, alt + "; ".join(rates))


def _curve_charts(demo: DemoResult) -> list[Chart]:
    charts = []
    for network in demo.networks:
        ends = (
            f"{formatting.ORDER_NAMES[order]} {_accuracy(summaries[-1].error_rate.value)}"
            for order, summaries in network.curves.items()
        )
        alt = (
            f"{network.name}: accuracy as pixels are removed, from "
            f"{_accuracy(network.untouched.error_rate.value)} to, at "
            f"{100 * network.shares[-1]:g}%: {', '.join(ends)}"
        )
        light, dark = (curves_figure([network], theme) for theme in (LIGHT, DARK))
        charts.append(_chart(light, dark, alt))
    return charts


def _accuracy(error_rate: float) -> str:
    return formatting.percent(1 - error_rate)
