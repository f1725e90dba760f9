"""The folder of a demo: which files it holds, and how they get there completely or not at all.

Takes a DemoResult and a folder. Files are made in memory, written to a new folder beside the old
one, and take its place: an error or Ctrl-C leaves the old folder as it was.
"""

from collections.abc import Mapping
from pathlib import Path

from ..support.figures import figure_bytes
from ..support.folders import check_folder, has_schema, replace_folder
from .figures import curves_figure, error_rates_figure, grid_figure
from .grids import network_grid, recipe_grid, removal_grid
from .page import render_page
from .results import SCHEMA, to_json
from .run import DemoResult

PAGE = "index.html"
NUMBERS = "results.json"
FIGURES = ("removal.png", "heatmaps.png", "rules.png", "networks.png", "network-heatmaps.png")


def render_files(demo: DemoResult) -> dict[str, bytes]:
    """Make the files of a demo by name: the page, the numbers, and each figure by itself."""
    page, numbers = render_page(demo).encode(), to_json(demo).encode()
    return {PAGE: page, NUMBERS: numbers, **_render_figures(demo)}


def _render_figures(demo: DemoResult) -> dict[str, bytes]:
    """Make the figures; those of single digits only if there are examples."""
    scale = "Relevance for the predicted class; white is 0, each heatmap has its own scale."
    table = demo.table
    removal = f"{table.removed_pixels} of {table.pixels} pixels set to black. {scale}"
    figures = [error_rates_figure(table), curves_figure(demo.networks)]
    names = ["rules.png", "networks.png"]
    if demo.examples:
        grids = ((removal_grid, removal), (recipe_grid, scale), (network_grid, scale))
        figures += [grid_figure(make_grid(demo.examples), note) for make_grid, note in grids]
        names += ["removal.png", "heatmaps.png", "network-heatmaps.png"]
    pairs = zip(names, figures, strict=True)
    return {name: figure_bytes(figure, "png") for name, figure in pairs}


def check_out(out: Path) -> None:
    """Raise FileError unless `out` is new, empty, or holds only what a demo wrote."""
    check_folder(out, _is_from_demo, "demo")


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Replace the content of the folder `out` by `files`."""
    check_out(out)
    replace_folder(out, files)


def _is_from_demo(folder: Path) -> bool:
    if not {path.name for path in folder.iterdir()} <= {PAGE, NUMBERS, *FIGURES}:
        return False
    return has_schema(folder / NUMBERS, SCHEMA)
