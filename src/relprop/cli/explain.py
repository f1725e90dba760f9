"""The command `relprop explain`: a user's model and data to a report."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from rich_click import RichCommand

from ..errors import InputError
from ..support.extras import require
from ..support.progress import Progress
from .model_options import PATH, RECIPE, model_options, samples_option
from .options import (
    AS_JSON,
    CONFIG,
    MODEL,
    QUIET,
    SEED,
    Completed,
    Failure,
    model_names,
    out_option,
)


@click.command("explain", cls=RichCommand, short_help="Explain your model on your data: a report.")
@click.argument("data", nargs=-1, type=PATH, metavar="DATA...")
@click.option("--model", shell_complete=Completed(model_names, files=True), help=MODEL)
@model_options
@RECIPE
@click.option(
    "--explain",
    default="predicted",
    show_default=True,
    help="predicted, runner-up, label, or the name or number of a class.",
)
@samples_option("200")
@click.option(
    "--curves",
    type=int,
    default=32,
    show_default=True,
    help="Number of samples for removal curves; 0 for none.",
)
@click.option(
    "--batch-size", type=int, default=16, show_default=True, help="Samples in a backward pass."
)
@CONFIG
@out_option("relprop-report")
@SEED
@AS_JSON
@QUIET
def explain_command(
    data: tuple[Path, ...], out: Path, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Explain a model of your own on your own data, and write a report.

    DATA is a folder of pictures, picture files, a .csv, .tsv or .parquet table, or a .jsonl or .txt
    file of texts. A FILE.py is run as Python runs it. The report is a page with all samples,
    removal curves and the plan; beside it are images, maps (.npz) and numbers (.csv, .json). An
    earlier report in the folder is replaced. After Ctrl-C the report has what was done until then.
    """
    if options["model"] is None:
        raise InputError("no --model", "see relprop explain --help", "write --model my_net.py:Net")
    require("explain", "relprop explain", ("matplotlib", "pandas", "scipy"))

    from ..report.output import PAGE, check_report_folder, write_report
    from ..report.records import to_json
    from ..report.run import run_report
    from ..report.settings import Settings

    settings = Settings(data=data, **options)
    check_report_folder(out)
    progress = Progress.detect(quiet=quiet)
    with redirect_stdout(sys.stderr):  # where what the user's file prints goes, too
        report = run_report(settings, progress)
        progress.log("Drawing the report ...")
        write_report(report, out)
    click.echo(to_json(report) if as_json else f"The report: {out / PAGE}", nl=not as_json)
    if report.stopped:
        raise Failure("stopped; the report has what was done until then", 1)
