"""The command line: parses options, calls the library, prints the results. No arithmetic here."""

from pathlib import Path

import click

from .. import __version__
from ..support.progress import Progress
from .compare_models import compare_models_command
from .explain import explain_command
from .fit import fit_command
from .options import (
    AS_JSON,
    DATA_DIR,
    DIGITS,
    FILL_HELP,
    MODEL,
    QUIET,
    REMOVAL_STEPS,
    SEED,
    Commands,
    Completed,
    Q,
    fill_names,
    method_names,
    model_names,
    out_option,
    score_names,
    training_names,
)
from .prune import prune_command
from .report import report_command
from .select import select_command
from .tune import tune_command

MODELS = Completed(model_names, files=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relprop")
def main() -> None:
    """Explain PyTorch models with LRP, and measure how faithful the explanations are.

    \b
    For completion of commands, options and names by the shell:
      bash  eval "$(_RELPROP_COMPLETE=bash_source relprop)"
      zsh   eval "$(_RELPROP_COMPLETE=zsh_source relprop)"
      fish  _RELPROP_COMPLETE=fish_source relprop | source
    """  # noqa: D301  # \b is a character: click keeps the lines that follow as they are


main.add_command(explain_command)
main.add_command(report_command)
main.add_command(compare_models_command)
main.add_command(fit_command)
main.add_command(tune_command)
main.add_command(prune_command)
main.add_command(select_command)


@main.command(short_help="Explain digits, and test the explanations.")
@click.option(
    "--model",
    default="mnist-cnn",
    show_default=True,
    shell_complete=MODELS,
    help=MODEL,
)
@DIGITS
@click.option("--q", type=float, default=0.1, show_default=True, help=Q)
@DATA_DIR
@out_option("relprop-demo")
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
    """Explain digits, remove their most relevant pixels, and classify them again.

    Writes a page, its figures and all numbers to a folder, where those of an earlier demo are
    replaced, and prints the error rates after the removal for each LRP rule, and for orders that
    know no network.
    """
    from ..demo.output import check_out, render_files, write_folder
    from ..demo.page import PAGE
    from ..demo.results import to_json
    from ..demo.run import Settings, run_demo
    from ..demo.tables import short_table

    check_out(out)
    progress = Progress.detect(quiet=quiet)
    result = run_demo(Settings(model, digits, q, seed, data_dir), progress)
    progress.log("Drawing figures and the page ...")
    write_folder(out, render_files(result))
    click.echo(to_json(result) if as_json else short_table(result), nl=not as_json)
    if not as_json:
        click.echo(f"\nThe page: {out / PAGE}; beside it the founding table, figures and numbers.")


@main.command(short_help="Compare attribution methods by pixel removal.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", shell_complete=MODELS)
@click.option(
    "--method",
    "methods",
    multiple=True,
    shell_complete=Completed(method_names),
    help="Attribution method; repeat for several. Default: the presets of the demo and "
    "gradient-x-input.",
)
@click.option(
    "--fill",
    "fills",
    multiple=True,
    default=("zero",),
    show_default=True,
    shell_complete=Completed(fill_names),
    help=FILL_HELP,
)
@click.option("--data", help="mnist or fashion-mnist. Default: what each model was trained on.")
@DIGITS
@REMOVAL_STEPS
@click.option(
    "--score",
    default="probability",
    show_default=True,
    shell_complete=Completed(score_names),
    help="Quantity plotted: probability, logit, margin, ...",
)
@click.option(
    "--q",
    multiple=True,
    type=float,
    default=(0.1,),
    show_default=True,
    help=Q,
)
@DATA_DIR
@out_option("relprop-compare")
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
    """Compare attribution methods on one or more models by pixel removal (MoRF/LeRF).

    MODEL is the name of a shipped model, the path of a .safetensors file, or the folder of a bundle
    that relprop fit made of such images. A method is a preset
    of relprop.Recipe, gradient-x-input, integrated-gradients or smoothgrad, with parameters after a
    colon: --method epsilon:epsilon=0.1,relative=true. --method, --fill and --q may be repeated. A
    run that was stopped, by Ctrl-C for example, is continued in its folder.
    """
    from ..compare import METHODS, Settings
    from ..compare.output import compare_into
    from ..compare.results import to_json
    from ..compare.tables import tables

    settings = Settings(
        *(models, methods or METHODS, fills, data, digits, steps, score, q, seed, data_dir)
    )
    comparison = compare_into(settings, out, Progress.detect(quiet=quiet))
    click.echo(to_json(comparison) if as_json else tables(comparison), nl=not as_json)
    if not as_json:
        click.echo(f"\nAll numbers and the curves: {out}")


@main.command(short_help="Train a model for MNIST or Fashion-MNIST.")
@click.argument("name", shell_complete=Completed(training_names))
@DATA_DIR
@out_option("relprop-models")
@SEED
@click.option("--epochs", type=int, help="Number of epochs. Default: that of the shipped model.")
@QUIET
def train(
    name: str, data_dir: Path | None, out: Path, seed: int, epochs: int | None, quiet: bool
) -> None:
    """Train a shipped model again, or one of the models for Fashion-MNIST.

    NAME is mnist-cnn, mnist-dnn-500, mnist-dnn-300-100, fashion-cnn, fashion-dnn-500 or
    fashion-dnn-300-100. Writes NAME.safetensors and NAME.json.
    """
    from ..data import load_digits
    from ..models.train import check_training
    from ..models.train import train as train_model

    family = check_training(name, out=out, seed=seed, epochs=epochs).family
    progress = Progress.detect(quiet=quiet)
    digits = load_digits("train", data_dir, family, progress=progress)
    test = load_digits("test", data_dir, family, progress=progress)
    card = train_model(
        name, digits, test=test, out=out, seed=seed, epochs=epochs, progress=progress
    )
    click.echo(f"{out / name}.safetensors: accuracy {card.accuracy:.2%} on the test split")


@main.command(short_help="Measure the accuracy of a model.")
@click.argument("name", shell_complete=MODELS)
@DATA_DIR
@QUIET
def accuracy(name: str, data_dir: Path | None, quiet: bool) -> None:
    """Measure the accuracy of a model on the 10,000 test images of its data set.

    NAME is the name of a shipped model, or the path of a .safetensors file.
    """
    from ..data import find_digits
    from ..data.families import parse_family
    from ..models.checkpoint import load_model, model_card
    from ..models.train import accuracy as measure

    model, family = load_model(name), parse_family(model_card(name).family or "mnist")
    digits = find_digits(data_dir, family, progress=Progress.detect(quiet=quiet))
    images = f"{len(digits.labels):,} images: {digits.source}"
    click.echo(f"{name}: accuracy {measure(model, digits):.2%} on {images}")
