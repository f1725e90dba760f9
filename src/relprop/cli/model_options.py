"""The options of commands that take a user's own model and samples.

They are those of `relprop explain`, with the same meaning; the records of `report.settings` take
them by name.
"""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from .options import TARGET, Completed, Count, Numbers, Size, preset_names

Command = TypeVar("Command", bound=Callable[..., Any])

PATH: click.ParamType[Any] = click.Path(path_type=Path)

RECIPE_HELP = (
    "Name of a preset, a recipe's TOML file, or tuned: that of a bundle after relprop tune."
)
RECIPE = click.option(
    "--recipe",
    default="auto",
    show_default=True,
    shell_complete=Completed(preset_names, files=True),
    help=RECIPE_HELP,
)

_OPTIONS = (
    click.option("--weights", type=PATH, help=".safetensors, or torch.save of a state_dict."),
    click.option("--classes", type=PATH, help="Text file with a class name in each line."),
    TARGET,
    click.option(
        "--text", default="text", show_default=True, help="Of JSON lines: key of the text."
    ),
    click.option(
        "--preprocess",
        metavar="FILE.py:NAME",
        help="Function from a PIL picture, a DataFrame or a list of texts to what the model takes.",
    ),
    click.option(
        "--size",
        type=Size(),
        metavar="HxW",
        help="Height and width that pictures are resized to.",
    ),
    click.option("--mean", type=Numbers(), default=(), help="Mean of each channel, values 0 to 1."),
    click.option("--std", type=Numbers(), default=(), help="Standard deviation of each channel."),
    click.option("--tokenizer", type=PATH, help="Folder of a Hugging Face tokenizer."),
)


def samples_option(default: str) -> Callable[[Command], Command]:
    """Return the option for how many samples a command takes.

    Args:
        default: A number, or "all".
    """
    return click.option(
        "--samples",
        type=Count(),
        metavar="N|all",
        default=default,
        show_default=True,
        help="Number of samples, evenly spaced; or all.",
    )


def model_options(command: Command) -> Command:
    """Give a command the options that say how a model and its samples are read."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)
