"""The command `relprop fit`: a data set to a searched, trained, explained and tested model."""

import json
import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich_click import RichCommand

from ..errors import FileError
from ..support.progress import Progress
from .data_options import data_options
from .options import AS_JSON, BUDGET, CONFIG, FIT_SEED, QUIET, Failure, out_option

if TYPE_CHECKING:
    from ..bundles.content import BundleContent, LeaderboardRow
    from ..data.dataset import Dataset
    from ..data.options import DataOptions
    from ..search.run import Fitted

_ROWS = 10  # of the leaderboard that are printed; the bundle has all


@click.command("fit", cls=RichCommand, short_help="Make a model of a data set, within a budget.")
@click.argument("data", metavar="DATA")
@click.option(
    "--budget",
    default="10m",
    show_default=True,
    metavar="TIME",
    help=BUDGET,
)
@click.option(
    "--trials",
    type=click.IntRange(1),
    help="The most trials. Default: as many as the time allows.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that search together.",
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path),
    help="Of texts: folder of a pretrained transformers encoder.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where networks are trained.",
)
@click.option("--space", type=click.UNPROCESSED, hidden=True)  # a table of the TOML file
@data_options
@CONFIG
@out_option("bundle")
@FIT_SEED
@AS_JSON
@QUIET
def fit_command(
    data: str,
    data_options: "DataOptions",
    out: Path,
    as_json: bool,
    quiet: bool,
    budget: str,
    seed: int,
    space: Any,
    encoder: Path | None,
    **options: Any,
) -> None:
    """Search, train, test and explain a network for a data set, within a budget of wall time.

    DATA is a folder of pictures or idx files, a .csv, .tsv, .parquet or .arff table, .npz or .pt
    arrays, texts (.csv, .jsonl, a file or folder for each class), time series (.ts, .npz, a folder
    of .csv), or a data set of the datasets library. What it is, and what to predict, is found out
    and shown.

    The best model so far is in the folder at any moment. The same command goes on where an earlier
    one was stopped; given in a second terminal it helps the first. A table [space] in the TOML file
    narrows what is searched: families = ["mlp"], and in [space.mlp] width = [64, 128].
    """
    from ..search.budget import Deadline, parse_duration
    from ..search.request import FitRequest
    from ..search.run import run_fit
    from ..search.settings import parse_settings

    deadline = Deadline.of_process(parse_duration(budget))
    settings = parse_settings(
        out=out,
        budget=budget,
        memory=data_options.memory,
        seed=seed,
        space={} if space is None else space,
        encoder=encoder,
        trials=options["trials"],
        workers=options["workers"],
        device=options["device"],
    )
    options_of_data = replace(data_options, memory=None)  # it is that of the whole program here
    request = FitRequest(data, options_of_data, settings, deadline)
    progress = Progress.detect(quiet=quiet)
    fitted = _stoppable(out, lambda: run_fit(request, progress, _shown(as_json)))
    spent = deadline.spent()
    click.echo(_as_json(fitted.content, out) if as_json else _summary(fitted, data, out, spent))


def _shown(as_json: bool) -> "Callable[[Dataset], None]":
    """Return what shows a data set before the search."""
    from ..data.overview import overview

    def show(dataset: "Dataset") -> None:
        if not as_json:
            click.echo(overview(dataset) + "\n")

    return show


def _stoppable(out: Path, run: "Callable[[], Fitted]") -> "Fitted":
    """Run a fit; say what is in the folder if it is stopped."""
    from ..bundles.read import is_bundle

    try:
        return run()
    except KeyboardInterrupt as error:
        raise Failure(f"stopped; {_left_behind(out)}", 1) from error
    except FileError as error:
        if not is_bundle(out):
            raise
        raise Failure(f"{error}\n{_left_behind(out)}", 1) from error


def _left_behind(out: Path) -> str:
    from ..bundles.read import is_bundle

    if is_bundle(out):
        return f"the best model so far is in {out}; the same command goes on from there"
    return "no model was there yet; the same command begins again"


def _summary(fitted: "Fitted", data: str, out: Path, seconds: float) -> str:
    """Write leaderboard, metrics and what to do next."""
    from ..bundles.bundle import metric_text

    content = fitted.content
    shown = fitted.dataset.warnings  # beside the data, before the search
    warnings = [f"warning: {one}" for one in content.warnings if one not in shown]
    metrics = [f"{metric_text(metric)} on the test part" for metric in content.metrics]
    where, source = shlex.quote(str(out)), shlex.quote(data)
    lines = [
        *_leaderboard(content),
        *warnings,
        "",
        *metrics,
        "",
        f"The model: {out}, after {seconds:.0f} s",
        f"The report: {fitted.report}" if fitted.report else "There was no time for a report:",
        *([] if fitted.report else [f"  relprop report {where} {source}"]),
        f"  relprop explain {source} --model {where}",
        f'  python -c "import relprop; print(relprop.load({str(out)!r}))"',
    ]
    return "\n".join(lines)


def _leaderboard(content: "BundleContent") -> list[str]:
    """Write the best trials as lines."""
    rows = content.leaderboard[:_ROWS]
    head = ("trial", "family", content.score_name, "epochs", "seconds", "weights", "ended")
    cells = [head, *map(_cells, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    more = len(content.leaderboard) - len(rows)
    return [*lines, f"and {more} more"] if more else lines


def _cells(row: "LeaderboardRow") -> tuple[str, ...]:
    from ..bundles.bundle import score_text

    return (
        str(row.number),
        row.family,
        score_text(row),
        "" if row.epochs is None else f"{row.epochs:.0f}",
        f"{row.seconds:.1f}",
        "" if row.parameters is None else f"{row.parameters:,}",
        f"{row.state}: {row.note}" if row.note else row.state,
    )


def _as_json(content: "BundleContent", out: Path) -> str:
    """Write all numbers of a fit as JSON."""
    names = (
        *("source", "modality", "task", "target_names", "counts", "warnings", "fingerprints"),
        *("seed", "versions", "score_name", "budget", "seconds"),
    )
    plain = {name: getattr(content, name) for name in names}
    records = {
        name: [asdict(one) for one in getattr(content, name)]
        for name in ("findings", "metrics", "leaderboard")
    }
    return json.dumps({"bundle": str(out), **plain, **records}, indent=1)
