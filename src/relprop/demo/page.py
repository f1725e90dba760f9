"""The pages: all results of a demo, and the founding rule table, as self-contained HTML.

Takes a DemoResult. Gives HTML that loads nothing from elsewhere: styles and script inline, images
as data. Without the script the first digit and all numbers are there.
"""

import shlex
from typing import TYPE_CHECKING

from ..plot.html import environment, png_url
from . import formatting
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, error_bars, line_chart
from .examples import FILL
from .figures import picture_colours
from .founding import poster_rows, sections
from .networks import CURVE_ORDERS
from .pictures import PICTURE_TITLES, Picture, digit_picture, pictures_of
from .poster import AUTHORS
from .removal import DEMO_FILLS
from .rule_table import MAIN_RECIPE, RECIPES
from .run import DemoResult, Settings
from .verdicts import headline, network_verdicts, rule_sentences
from .viewer import NETWORK_DIGITS, network_maps, outline_path, scale_colours, viewer_data

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE, TABLE_PAGE, NUMBERS = "index.html", "rule-table.html", "results.json"
BESIDE = 5  # digits that the page shows beside one another


def render_page(demo: DemoResult) -> str:
    """Render the main page as HTML text."""
    table = demo.table
    template = _environment().get_template("demo.html")
    return template.render(
        demo=demo,
        table=table,
        used=len(demo.digits.labels),
        rows=[pictures_of(each, MAIN_RECIPE, FILL, table.greys) for each in demo.examples[:BESIDE]],
        thumbnails=[digit_picture(example) for example in demo.examples],
        outlines=[outline_path(example) for example in demo.examples[:BESIDE]],
        maps=_maps_by_recipe(demo),
        networks=[network_maps(example) for example in demo.examples[:NETWORK_DIGITS]],
        viewer=viewer_data(demo),
        bars=error_bars(table),
        headline=headline(demo.main, table.q),
        verdicts=[network_verdicts(network) for network in demo.networks],
        rule_sentences=rule_sentences(table),
        charts=[[line_chart(network, fill) for fill in DEMO_FILLS] for network in demo.networks],
        box={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP}
        | {"bottom": BOTTOM},
        curve_orders=CURVE_ORDERS,
        recipes=RECIPES,
        command=command(demo.settings),
        **_common(),
    )


def render_table_page(demo: DemoResult) -> str:
    """Render the page of the founding rule table as HTML text."""
    template = _environment().get_template("rule-table.html")
    return template.render(
        demo=demo,
        table=demo.table,
        used=len(demo.digits.labels),
        authors=formatting.listing(AUTHORS),
        rows=poster_rows(demo.table),
        sections=sections(demo.table),
        **_common(),
    )


def command(settings: Settings) -> str:
    """Return the command line that gives the same numbers again."""
    words = ["relprop", "demo", "--model", settings.model]
    words += ["--digits", "all" if settings.digits is None else str(settings.digits)]
    words += ["--q", f"{settings.q:g}", "--seed", str(settings.seed)]
    if settings.data_dir is not None:
        words += ["--data-dir", str(settings.data_dir)]
    return shlex.join(words)


def _common() -> dict[str, object]:
    return {
        "main_recipe": MAIN_RECIPE,
        "fills": DEMO_FILLS,
        "fill": FILL,
        "fill_names": formatting.FILL_NAMES,
        "order_names": formatting.ORDER_NAMES,
        "titles": PICTURE_TITLES,
        "ramp": scale_colours(),
        "pages": {"main": PAGE, "table": TABLE_PAGE, "numbers": NUMBERS},
    }


def _maps_by_recipe(demo: DemoResult) -> dict[str, list[Picture]]:
    """Show the maps of the first digits, a row for each recipe."""
    shown = demo.examples[:BESIDE]
    return {
        recipe: [pictures_of(example, recipe, FILL, demo.table.greys)[1] for example in shown]
        for recipe in (shown[0].by_recipe if shown else ())
    }


def _environment() -> "Environment":
    made = environment("relprop.demo")
    made.filters.update(
        percent=formatting.percent,
        rate=formatting.rate,
        rate_interval=formatting.rate_interval,
        layers=formatting.layers,
        image_url=lambda picture: png_url(picture_colours(picture)),
    )
    return made
