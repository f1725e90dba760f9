"""The command `relprop compare-models`: families of networks and bundles, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich_click import RichCommand

from ..support.extras import require
from ..support.progress import Progress
from .data_options import Names, data_options
from .options import AS_JSON, BUDGET, CONFIG, FIT_SEED, QUIET, out_option

if TYPE_CHECKING:
    from ..data.options import DataOptions


@click.command("compare-models", cls=RichCommand, short_help="Compare networks on the same data.")
@click.argument("data", metavar="DATA")
@click.option(
    "--models",
    type=Names(),
    required=True,
    help="Families of networks, such as mlp,cnn, and folders of bundles, such as ./mlp, with commas"
    " between them.",
)
@click.option(
    "--budget",
    default="10m",
    show_default=True,
    metavar="TIME",
    help=BUDGET,
)
@data_options
@CONFIG
@out_option("relprop-models")
@FIT_SEED
@AS_JSON
@QUIET
def compare_models_command(
    data: str,
    data_options: "DataOptions",
    models: tuple[str, ...],
    budget: str,
    out: Path,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare families of networks, and bundles, on the same data.

    Each family is fitted by its default settings in an equal share of the time; its bundle is kept
    in a folder of its name. All are measured on the same test samples: how good and how large they
    are, how long they take, whether their relevance is faithful (removal curves, SRG), how sparse
    it is, and whether they look at the same.
    """
    require("fit", "relprop compare-models", ("matplotlib", "pandas", "scipy", "sklearn"))

    from ..compare_models.output import (
        PAGE,
        comparison_json,
        comparison_text,
        write_comparison,
    )
    from ..compare_models.run import compare_models
    from ..search.budget import parse_duration

    seconds = parse_duration(budget)
    progress = Progress.detect(quiet=quiet)
    comparison = compare_models(
        *(data, models, out),
        options=data_options,
        seconds=seconds,
        seed=seed,
        progress=progress,
    )
    write_comparison(comparison, out)
    click.echo(comparison_json(comparison) if as_json else comparison_text(comparison), nl=False)
    if not as_json:
        click.echo(f"\nThe page: {out / PAGE}")
