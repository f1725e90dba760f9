"""The command `relprop prune`: a user's model and labelled data to a smaller model."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from rich_click import RichCommand

from ..errors import InputError
from ..support.extras import require
from ..support.files import try_folder
from ..support.progress import Progress
from .model_options import PATH, RECIPE_HELP, model_options, samples_option
from .options import (
    QUIET,
    SEED,
    Completed,
    model_names,
    out_option,
    preset_names,
)

_SHARE = click.FloatRange(0, 1, max_open=True)


@click.command("prune", cls=RichCommand, short_help="Remove the channels without relevance.")
@click.argument("model", shell_complete=Completed(model_names, files=True))
@click.argument("data", nargs=-1, type=PATH, metavar="DATA...")
@click.option("--sparsity", type=_SHARE, default=0.5, show_default=True, help="Share removed.")
@click.option(
    "--samples-per-class",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Samples of each class whose relevance ranks the channels.",
)
@click.option(
    "--heads", type=_SHARE, default=0.0, show_default=True, help="Share of attention heads removed."
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Rounds in which channels go; what is left is ranked again after each.",
)
@click.option(
    "--ranking",
    type=click.Choice(["global", "layer"]),
    default="global",
    show_default=True,
    help="Lowest of the whole model, or the same share of each layer.",
)
@click.option("--keep", multiple=True, help="Glob on layers that stay whole; repeat for several.")
@click.option(
    "--no-rescale",
    is_flag=True,
    help="Leave the outputs of layers as they become, without the mean and spread that they had.",
)
@click.option(
    "--recipe",
    default="epsilon",
    show_default=True,
    shell_complete=Completed(preset_names, files=True),
    help=RECIPE_HELP,
)
@click.option(
    "--finetune",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Epochs of training.",
)
@model_options
@samples_option("all")
@out_option("relprop-pruned")
@SEED
@QUIET
def prune_command(
    model: str,
    data: tuple[Path, ...],
    sparsity: float,
    samples_per_class: int,
    heads: float,
    rounds: int,
    ranking: Any,
    keep: tuple[str, ...],
    no_rescale: bool,
    recipe: str,
    finetune: int,
    out: Path,
    seed: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Remove the channels and neurons of a classifier that carry the least relevance.

    MODEL and DATA are such as relprop explain takes, with a label for each sample. A fifth of the
    samples, drawn at random, is kept for the accuracy before and after; of the others some are
    explained, and with --finetune the smaller model learns from them. Writes pruned.safetensors,
    or pruned.pt2 for a model that is no list of layers: both are a MODEL for relprop explain.
    """
    require("prune", "relprop prune", ("torch_pruning",))

    from ..bundles.user_model import load_user_model
    from ..report.class_samples import read_class_samples
    from ..report.run import tuned_recipe
    from ..report.settings import TUNED, Settings, read_recipe
    from ..use.pruning.held_out import prune_and_test
    from ..use.pruning.save import save_pruned

    try_folder(out)
    settings = Settings(data=data, model=model, recipe=recipe, seed=seed, **options)
    preset = None if recipe == TUNED else read_recipe(recipe)  # before anything is loaded
    progress = Progress.detect(quiet=quiet)
    with redirect_stdout(sys.stderr):  # where what the user's file prints goes, too
        loaded = load_user_model(model, settings.weights)
        if loaded.per_input:
            given = f"{model}, an exported program, whose layers are fixed"
            raise InputError(given, "a model with layers", "give the model that was exported")
        samples = read_class_samples(settings, loaded)
        progress.log(f"{len(samples.y):,} samples read, {samples.left_out:,} left out")
        result = prune_and_test(
            loaded.module,
            samples.x,
            samples.y,
            sparsity,
            heads=heads,
            samples_per_class=samples_per_class,
            rounds=rounds,
            ranking=ranking,
            recipe=preset or tuned_recipe(loaded),
            keep=keep,
            rescale=not no_rescale,
            epochs=finetune,
            seed=seed,
        )
        path = save_pruned(result, samples.x[:1], out)
    click.echo(f"{result}\nThe model: {path}")
