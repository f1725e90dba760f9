"""The command line: reads options, calls the library, prints what it gives. No arithmetic here.

Exit codes: 0; 1 when something fails while running; 2 for bad input. Results go to stdout, progress
and errors to stderr.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import __version__
from .errors import InputError, RelpropError
from .support.progress import Progress

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder that holds mnist/. Default: $RELPROP_DATA, the cache, a download.",
)
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but the result.")


class Failure(click.ClickException):
    """Ends the program with a message and an exit code, without a traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code: int = exit_code  # type: ignore[misc]  # each error has its own


class Commands(click.Group):
    """Turns the package's errors, and the system's, into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RelpropError as error:
            raise Failure(str(error), 2) from error
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads on
        except OSError as error:
            raise Failure(str(error), 1) from error


class Count(click.ParamType[int | None]):
    """A whole number, or "all", which is None."""

    name = "N|all"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """Read the option's text."""
        if value == "all":
            return None
        try:
            return int(value)
        except ValueError:
            todo = "write --digits 1000 or --digits all"
            raise InputError(f"--digits {value}", "a whole number, or all", todo) from None


DIGITS = click.option(
    "--digits", type=Count(), default="1000", show_default=True, help="How many digits."
)
SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same numbers."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")


def out_folder(folder: str, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option for the folder that a command writes to."""
    kind = click.Path(path_type=Path)
    return click.option("--out", type=kind, default=Path(folder), show_default=True, help=what)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relprop")
def main() -> None:
    """Explain what a PyTorch classifier looked at, and test whether that is true."""


@main.command()
@click.option("--model", default="mnist-cnn", show_default=True, help="A shipped model, or a file.")
@DIGITS
@click.option("--q", default=0.1, show_default=True, help="Share of the pixels to remove.")
@DATA_DIR
@out_folder("relprop-demo", "Folder for the results; one that an earlier demo wrote is replaced.")
@SEED
@AS_JSON
@QUIET
def demo(
    model: str,
    digits: int | None,
    q: float,
    data_dir: Path | None,
    out: Path,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Classify digits, explain them, remove what mattered, and see what is read then."""
    from .demo.output import PAGE, check_folder, contents, publish
    from .demo.results import short_table, to_json
    from .demo.run import Settings, run_demo

    check_folder(out)
    progress = Progress.detect(quiet=quiet)
    found = run_demo(Settings(model, digits, q, seed, data_dir), progress)
    progress.log("Drawing figures and the page ...")
    publish(out, contents(found))
    click.echo(to_json(found) if as_json else short_table(found), nl=not as_json)
    if not as_json:
        click.echo(f"\nThe page: {out / PAGE}; the figures and all numbers are beside it.")


@main.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--method", "methods", multiple=True, help="A recipe's or method's name; repeat it.")
@click.option("--fill", "fills", multiple=True, default=("zero",), help="What pixels become.")
@click.option("--data", help="mnist or fashion-mnist. Default: what each model was made for.")
@DIGITS
@click.option("--steps", default=20, show_default=True, help="Of the curves, up to everything.")
@click.option("--score", default="probability", show_default=True, help="What a curve follows.")
@click.option("--q", multiple=True, type=float, default=(0.1,), help="Share to count what is read.")
@DATA_DIR
@out_folder(
    "relprop-compare", "Folder for the results; a run that was stopped goes on where it was."
)
@SEED
@AS_JSON
@QUIET
def compare(
    models: tuple[str, ...],
    methods: tuple[str, ...],
    fills: tuple[str, ...],
    data: str | None,
    digits: int | None,
    steps: int,
    score: str,
    q: tuple[float, ...],
    data_dir: Path | None,
    out: Path,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove pixels by several methods from what several models read, and compare.

    MODEL is a shipped model or a .safetensors file. A method is a preset, gradient-x-input,
    integrated-gradients or smoothgrad, with parameters after a colon:
    --method epsilon:epsilon=0.1,relative=true. Without --method: the rules and presets of the demo,
    and gradient-x-input.
    """
    from .compare import METHODS, Settings
    from .compare.output import compare_into
    from .compare.results import to_json
    from .compare.tables import tables

    settings = Settings(
        *(models, methods or METHODS, fills, data, digits, steps, score, q, seed, data_dir)
    )
    found = compare_into(settings, out, Progress.detect(quiet=quiet))
    click.echo(to_json(found) if as_json else tables(found), nl=not as_json)
    if not as_json:
        click.echo(f"\nAll numbers and the curves: {out}")


@main.command()
@click.argument("name")
@DATA_DIR
@out_folder("relprop-models", "Folder for NAME.safetensors and NAME.json.")
@SEED
@click.option("--epochs", type=int, help="Default: as the shipped model was trained.")
@QUIET
def train(
    name: str, data_dir: Path | None, out: Path, seed: int, epochs: int | None, quiet: bool
) -> None:
    """Train a shipped model again, or fashion-dnn-500, fashion-dnn-300-100 or fashion-cnn."""
    from .data import load_digits
    from .models.train import train as train_model
    from .models.training import training_of

    progress, family = Progress.detect(quiet=quiet), training_of(name).family
    digits = load_digits("train", data_dir, family, progress=progress)
    test = load_digits("test", data_dir, family, progress=progress)
    card = train_model(
        name, digits, test=test, out=out, seed=seed, epochs=epochs, progress=progress
    )
    click.echo(f"{out / name}.safetensors: {card.accuracy:.2%} of the test digits read correctly.")


@main.command()
@click.argument("name")
@DATA_DIR
@QUIET
def accuracy(name: str, data_dir: Path | None, quiet: bool) -> None:
    """Measure a model, shipped or a file, on the 10,000 test images of its data set."""
    from .data import find_digits
    from .data.families import parse_family
    from .models.checkpoint import load_model, model_card
    from .models.train import accuracy as measure

    model, family = load_model(name), parse_family(model_card(name).family or "mnist")
    digits = find_digits(data_dir, family, progress=Progress.detect(quiet=quiet))
    share = measure(model, digits)
    click.echo(
        f"{name}: {share:.2%} of {len(digits.labels):,} images read correctly: {digits.source}"
    )
