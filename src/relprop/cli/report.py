"""The command `relprop report`: what a bundle knows, and what its model looks at, on one page."""

from pathlib import Path

import click
from rich_click import RichCommand

from ..support.extras import require
from ..support.progress import Progress
from .options import BUDGET, OUT, QUIET, TARGET

_PATH = click.Path(path_type=Path)


@click.command("report", cls=RichCommand, short_help="Show a fitted model on one page.")
@click.argument("bundle", type=_PATH)
@click.argument("data", required=False)
@TARGET
@click.option("--budget", metavar="TIME", help=BUDGET)
@click.option("--out", type=_PATH, help=OUT)
@QUIET
def report_command(
    bundle: Path,
    data: str | None,
    target: str | None,
    out: Path | None,
    budget: str | None,
    quiet: bool,
) -> None:
    """Write a page about a model that relprop fit made.

    BUNDLE is the folder that relprop fit wrote. DATA is the data that it was fitted to, which is
    looked for where it was; or other labelled data of the same kind, of which all samples are
    judged. The page has the data, the trials, learning curves, what is confused, whether
    probabilities hold, explanations for each class, the gravest mistakes with what caused them, and
    removal curves. It is report.html in the bundle's folder, or in that of --out. With little time,
    fewer samples are explained.
    """
    require("fit", "relprop report", ("matplotlib", "pandas", "scipy", "sklearn"))

    from ..bundle_report.write import PAGE, open_data, write_bundle_report
    from ..bundles.bundle import load
    from ..search.budget import parse_duration
    from ..support.files import make_folder, try_folder

    seconds = None if budget is None else parse_duration(budget)
    progress = Progress.detect(quiet=quiet)
    loaded = load(bundle)
    folder = bundle if out is None else out
    try_folder(folder)
    dataset = open_data(loaded, data, target, progress)
    make_folder(folder)
    path = folder / PAGE
    write_bundle_report(loaded, dataset, path, seconds=seconds, progress=progress)
    click.echo(f"The report: {path}")
