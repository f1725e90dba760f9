"""The command `relprop tune`: the recipe of a user's model, found by search."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from rich_click import RichCommand

from ..errors import InputError
from ..support.extras import require
from ..support.progress import Progress
from .data_options import Names
from .model_options import PATH, model_options, samples_option
from .options import (
    AS_JSON,
    CONFIG,
    FILL_HELP,
    QUIET,
    REMOVAL_STEPS,
    SEED,
    Completed,
    fill_names,
    model_names,
    out_option,
)


class Groups(click.ParamType[tuple[str, str]]):
    """A name and a glob."""

    name = "NAME=GLOB"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Parse the option's text."""
        if isinstance(value, tuple):
            return value
        name, separator, glob = str(value).partition("=")
        if not separator or not name or not glob:
            given, allowed = f"--modules {value}", "a name and a glob on names of modules"
            raise InputError(given, allowed, "write --modules early=features.0*")
        return name, glob


@click.command("tune", cls=RichCommand, short_help="Search the most faithful rules of your model.")
@click.argument("model", shell_complete=Completed(model_names, files=True))
@click.argument("data", nargs=-1, type=PATH, metavar="DATA...")
@click.option(
    "--objective",
    type=Names(),
    default="srg",
    show_default=True,
    help="srg, morf, lerf, sparseness, stability or localisation; of several, with commas between "
    "them, the first decides and a front is shown.",
)
@click.option(
    "--fill",
    "fills",
    multiple=True,
    shell_complete=Completed(fill_names),
    help=FILL_HELP,
)
@click.option(
    "--other-fills",
    type=Names(),
    default="",
    help="Fills that the result is also shown under, and not tuned for.",
)
@click.option(
    "--recipes",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Number of recipes that are tried.",
)
@REMOVAL_STEPS
@click.option(
    "--blocks",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Blocks of equal depth, each with a rule of its own.",
)
@click.option(
    "--modules",
    "groups",
    type=Groups(),
    multiple=True,
    help="Modules with a rule of their own, in place of blocks; repeat for several.",
)
@click.option("--masks", type=PATH, help=".npy file of masks, for the objective localisation.")
@samples_option("1000")
@click.option(
    "--batch-size", type=int, default=64, show_default=True, help="Samples in a backward pass."
)
@model_options
@CONFIG
@out_option("relprop-tuned")
@SEED
@AS_JSON
@QUIET
def tune_command(
    model: str,
    data: tuple[Path, ...],
    objective: tuple[str, ...],
    fills: tuple[str, ...],
    other_fills: tuple[str, ...],
    recipes: int,
    steps: int,
    blocks: int,
    groups: tuple[tuple[str, str], ...],
    masks: Path | None,
    out: Path,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Search the rules by which relevance of a model is most faithful, and measure the gain.

    MODEL is a shipped model, FILE.py:NAME, timm:NAME, torchvision:NAME, transformers:FOLDER, or the
    folder of a bundle; DATA is as of relprop explain. A quarter of the samples is searched on, on
    another quarter the best is selected, and on the rest it is compared with every preset and
    with gradient methods. Of several fills the worst counts; without --fill, removed values become
    the mean, and tokens of texts are deleted. The folder gets recipe.toml, a page and all
    numbers; a bundle gets the recipe, too, for --recipe tuned. The same command goes on where an
    earlier one was stopped; given in a second terminal it helps the first.
    """
    require("tune", "relprop tune", ("captum", "matplotlib", "optuna", "pandas", "scipy"))

    from ..report.settings import Settings
    from ..tuning.output import PAGE, tuned_json, write_tuned
    from ..tuning.run import TuneSettings, run_tuning

    settings = TuneSettings(
        report=Settings(data=data, model=model, **options),
        objectives=objective,
        fills=fills,
        other_fills=other_fills,
        trials=recipes,
        steps=steps,
        blocks=blocks,
        groups=dict(groups),
        masks=masks,
    )
    progress = Progress.detect(quiet=quiet)
    with redirect_stdout(sys.stderr):  # where what the user's file prints goes, too
        run = run_tuning(settings, out, progress)
    write_tuned(run, out)
    text = tuned_json(run) if as_json else f"{run.tuned}\n\nThe page: {out / PAGE}\n"
    click.echo(text, nl=False)
