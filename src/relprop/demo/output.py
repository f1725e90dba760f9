"""The folder of a demo: which files it holds, and how they get there completely or not at all.

Takes a DemoResult and a folder. Files are made in memory, written to a new folder beside the old
one, and take its place: an error or Ctrl-C leaves the old folder as it was.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import FileError
from ..support.figures import figure_bytes
from ..support.files import make_folder, try_folder, write_file
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


def check_folder(out: Path) -> None:
    """Raise FileError unless `out` is new, empty, or holds only what a demo wrote.

    It must be possible to create the folder, and another one beside it.
    """
    out = Path(os.path.realpath(out))
    if Path.cwd().is_relative_to(out):
        raise _refusal(out, "it is the folder that this command runs in, or contains it")
    if os.path.isdir(out) and any(out.iterdir()) and not _is_from_demo(out):
        raise _refusal(out, "it holds files that no demo wrote")
    try_folder(out)
    try_folder(_beside(out))


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Replace the content of the folder `out` by `files`."""
    check_folder(out)
    out = Path(os.path.realpath(out))
    new, old = _beside(out), _beside(out)
    try:
        make_folder(new)
        for name, content in files.items():
            write_file(new / name, content)
        if out.exists():
            out.rename(old)
        new.rename(out)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(out: Path) -> Path:
    """Name a new folder beside `out`."""
    return out.with_name(f".{out.name[:40]}.{secrets.token_hex(4)}")


def _is_from_demo(folder: Path) -> bool:
    if not {path.name for path in folder.iterdir()} <= {PAGE, NUMBERS, *FIGURES}:
        return False
    try:
        record = json.loads((folder / NUMBERS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("schema") == SCHEMA


def _refusal(out: Path, reason: str) -> FileError:
    return FileError(
        f"{out} cannot take the results: {reason}",
        "a folder that is new, empty, or holds only what an earlier demo wrote",
        "give another folder with --out",
    )
