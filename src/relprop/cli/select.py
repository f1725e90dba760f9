"""The command `relprop select`: which features of a data set are worth keeping."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich_click import RichCommand

from ..support.extras import require
from ..support.progress import Progress
from .data_options import Names, data_options
from .options import AS_JSON, CONFIG, FIT_SEED, QUIET, Numbers, out_option

if TYPE_CHECKING:
    from ..data.options import DataOptions


@click.command("select", cls=RichCommand, short_help="Find the features that are worth keeping.")
@click.argument("data", metavar="DATA")
@click.option(
    "--k",
    "ks",
    type=Numbers(),
    default=(),
    help="Numbers of features to measure, such as 4,8,16; of several, the fewest that are enough "
    "are kept. Default: half of them, a quarter and so on.",
)
@click.option(
    "--against",
    type=Names(),
    default=("mutual information", "L1"),
    show_default="mutual information,L1",
    help="Other methods to compare with: permutation importance, mutual information, L1, RFE; "
    '"" for none.',
)
@click.option(
    "--most-samples",
    "samples",
    type=click.IntRange(1),
    default=4000,
    show_default=True,
    help="The most samples; of more, so many are drawn.",
)
@data_options
@CONFIG
@out_option("relprop-select")
@FIT_SEED
@AS_JSON
@QUIET
def select_command(
    data: str,
    data_options: "DataOptions",
    ks: tuple[float, ...],
    against: tuple[str, ...],
    samples: int,
    out: Path,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Rank the features of a data set by relevance, and measure how many are enough.

    DATA is a table, pictures, time series or texts, as relprop fit reads them; a feature is a
    column, a pixel, a channel or a word.
    Small networks are trained on folds, and the samples that each has not learned are explained.
    Accuracy is measured without a leak: features are ranked by the training part of an outer fold,
    and models of the best k tested on the rest. The test part of the data is not touched. In the
    folder are a page, ranking.csv, kept.txt and, of a table, fit.toml for relprop fit --config.
    """
    require("fit", "relprop select", ("matplotlib", "pandas", "scipy", "sklearn"))

    from ..data.read import read_dataset
    from ..use.selection.output import (
        OPTIONS,
        PAGE,
        check_folder_of_selection,
        selection_json,
        selection_text,
        write_selection,
    )
    from ..use.selection.run import select

    check_folder_of_selection(out)
    progress = Progress.detect(quiet=quiet)
    dataset = read_dataset(data, data_options, progress=progress)
    chosen = select(dataset, ks, against=against, most=samples, seed=seed, progress=progress)
    write_selection(chosen, out, data_options)
    if as_json:
        click.echo(selection_json(chosen), nl=False)
        return
    click.echo(f"{selection_text(chosen)}\n\nThe page: {out / PAGE}")
    if (out / OPTIONS).exists():
        source, options = shlex.quote(data), shlex.quote(str(out / OPTIONS))
        click.echo(f"A model of what is kept: relprop fit {source} --config {options}")
