"""The folder of a demo: which files it holds, and how they get there completely or not at all.

Takes a DemoResult and a folder. Files are made in memory, written to a new folder beside the old
one, and take its place: an error or Ctrl-C leaves the old folder as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..support.figures import figure_bytes
from ..support.folders import check_folder, has_schema, replace_folder
from . import formatting
from .examples import FILL
from .figures import curves_figure, error_rates_figure, pictures_figure
from .page import BESIDE, NUMBERS, PAGE, TABLE_PAGE, render_page, render_table_page
from .pictures import PICTURE_TITLES, Picture, digit_picture, map_picture, pictures_of
from .removal import BRIGHTEST, DEMO_FILLS, INK
from .results import EARLIER_SCHEMA, SCHEMA, to_json
from .rule_table import MAIN_RECIPE
from .run import DemoResult
from .viewer import network_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGES = (PAGE, TABLE_PAGE)
FIGURES = ("removal.png", "heatmaps.png", "rules.png", "networks.png", "network-heatmaps.png")
REMOVAL_ROWS = 3  # digits of the first figure


def render_files(demo: DemoResult) -> dict[str, bytes]:
    """Make the files of a demo by name: the pages, the numbers, and each figure by itself."""
    return {
        PAGE: render_page(demo).encode(),
        TABLE_PAGE: render_table_page(demo).encode(),
        NUMBERS: to_json(demo).encode(),
        **{name: figure_bytes(figure, "png") for name, figure in _figures(demo).items()},
    }


def _figures(demo: DemoResult) -> dict[str, Figure]:
    """Draw the figures; those of single digits only if there are examples."""
    figures = {"rules.png": error_rates_figure(demo.table)}
    figures["networks.png"] = curves_figure(demo.networks)
    if demo.examples:
        figures["removal.png"] = _removal_figure(demo)
        figures["heatmaps.png"] = _maps_figure(demo)
        figures["network-heatmaps.png"] = _network_maps_figure(demo)
    return figures


def _removal_figure(demo: DemoResult) -> Figure:
    """Draw the first digits before and after removal, and how many of all are then wrong."""
    table, shown = demo.table, demo.examples[:REMOVAL_ROWS]
    rows = [pictures_of(example, MAIN_RECIPE, FILL, table.greys) for example in shown]
    titled = [(f"a {e.label}", row) for e, row in zip(shown, rows, strict=True)]
    summaries = [
        table.main.most,
        table.controls[BRIGHTEST],
        table.controls[INK],
        table.main.least,
    ]
    columns = [title.replace(" removed", "\nremoved") for title in PICTURE_TITLES.values()]
    for i, by_fill in enumerate(summaries, start=2):
        columns[i] += f"\n{formatting.rate(by_fill[FILL].error_rate)} wrong"
    others = [
        ", ".join(formatting.rate(by_fill[fill].error_rate) for by_fill in summaries)
        for fill in DEMO_FILLS[1:]
    ]
    note = (
        f"{table.removed_pixels} of {table.pixels} pixels turn black: above the share of "
        f"{len(demo.digits.labels):,} digits that is then wrong. "
        f"If they turn mean grey: {others[0]}.\n"
        f"Relevance (R) by {MAIN_RECIPE} for the predicted class, in units of its score."
    )
    limit = max(row[1].limit for row in rows)
    return pictures_figure(titled, [e.pixels for e in shown], columns, note, limit)


def _maps_figure(demo: DemoResult) -> Figure:
    """Draw a row for each recipe."""
    shown = demo.examples[:BESIDE]
    rows = [("", [digit_picture(example) for example in shown])]
    for recipe in shown[0].by_recipe:
        maps = [map_picture(e, e.by_recipe[recipe], recipe, e.original) for e in shown]
        rows.append((recipe, maps))
    return _grid_figure(rows)


def _network_maps_figure(demo: DemoResult) -> Figure:
    """Draw a row for each network."""
    shown = demo.examples[:BESIDE]
    rows: list[tuple[str, list[Picture]]] = [("", [digit_picture(example) for example in shown])]
    columns = [network_maps(example) for example in shown]
    rows += [(each.name, [c[i] for c in columns]) for i, each in enumerate(demo.networks)]
    return _grid_figure(rows)


def _grid_figure(rows: Sequence[tuple[str, Sequence[Picture]]]) -> Figure:
    note = "Each map has its own scale: its largest |R| has the fullest colour (limit)."
    return pictures_figure(rows, [], (), note)


def check_out(out: Path) -> None:
    """Raise FileError unless `out` is new, empty, or holds only what a demo wrote."""
    check_folder(out, _is_from_demo, "demo")


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Replace the content of the folder `out` by `files`."""
    check_out(out)
    replace_folder(out, files)


def _is_from_demo(folder: Path) -> bool:
    if not {path.name for path in folder.iterdir()} <= {*PAGES, NUMBERS, *FIGURES}:
        return False
    return any(has_schema(folder / NUMBERS, schema) for schema in (SCHEMA, EARLIER_SCHEMA))
