"""The folder that a demo leaves behind: which files, and how they get there whole or not at all.

Takes a Demo and a folder. The files are made in memory, written to a new folder beside the old one,
and take its place: an error or Ctrl-C leaves what was there before.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import FileError
from .gallery import network_grid, recipe_grid, removal_grid
from .plot import curves_figure, grid_figure, shares_figure, to_bytes
from .report import page
from .results import SCHEMA, to_json
from .run import Demo

PAGE = "index.html"
NUMBERS = "results.json"
FIGURES = ("removal.png", "heatmaps.png", "rules.png", "networks.png", "network-heatmaps.png")


def contents(demo: Demo) -> dict[str, bytes]:
    """The files of a demo by name: the page, the numbers, and each figure by itself."""
    return {PAGE: page(demo).encode(), NUMBERS: to_json(demo).encode(), **_figures(demo)}


def _figures(demo: Demo) -> dict[str, bytes]:
    """The figures of FIGURES; those that show single digits only where there are digits to show."""
    scale = "Relevance for the class that is read; white is 0, each heatmap has its own scale."
    removed = f"{demo.table.count} of {demo.table.pixels} pixels set to black. {scale}"
    figures = [shares_figure(demo.table), curves_figure(demo.networks)]
    names = ["rules.png", "networks.png"]
    if demo.examples:
        grids = ((removal_grid, removed), (recipe_grid, scale), (network_grid, scale))
        figures += [grid_figure(make(demo.examples), note) for make, note in grids]
        names += ["removal.png", "heatmaps.png", "network-heatmaps.png"]
    pairs = zip(names, figures, strict=True)
    return {name: to_bytes(figure, "png") for name, figure in pairs}


def check_folder(out: Path) -> None:
    """Raise FileError unless `out` is new, empty, or holds what a demo wrote and nothing else."""
    out = out.resolve()
    existing = next(path for path in (out, *out.parents) if path.exists())
    if not existing.is_dir():
        raise _refusal(out, f"{existing} is not a folder")
    if not os.access(out.parent if existing == out else existing, os.W_OK | os.X_OK):
        raise _refusal(out, "it may not be written there")
    if Path.cwd().is_relative_to(out):
        raise _refusal(out, "it is the folder that this command runs in, or around it")
    if existing == out and any(out.iterdir()) and not _is_ours(out):
        raise _refusal(out, "it holds files that no demo wrote")


def publish(out: Path, files: Mapping[str, bytes]) -> None:
    """Make `files` the content of the folder `out`, in place of what a demo left there before."""
    check_folder(out)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    old = fresh.with_suffix(".old")
    try:
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    if not {path.name for path in folder.iterdir()} <= {PAGE, NUMBERS, *FIGURES}:
        return False
    try:
        record = json.loads((folder / NUMBERS).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("schema") == SCHEMA


def _refusal(out: Path, why: str) -> FileError:
    return FileError(
        f"{out} cannot take the results: {why}",
        "a folder that is new, empty, or holds what an earlier demo wrote and nothing else",
        "give another folder with --out",
    )
