"""What the commands share: exit codes, options, and values of options.

Exit codes: 0 for success, 1 for a failure while running, 2 for bad input. Results go to stdout,
progress and errors to stderr. An option of one name means the same in every command. rich-click
shows help; errors of the package are written as they are, so that lines can be copied from them.
"""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich_click import RichGroup

from ..errors import FileError, InputError, NumberError, RelpropError
from ..support.arguments import suggest


class Failure(click.ClickException):
    """Ends the program with a message and an exit code, without a traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code: int = exit_code  # type: ignore[misc]  # each error has its own


class Commands(RichGroup):
    """Turns errors of the package and of the system into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RelpropError as error:
            self._fail(ctx, str(error), 1 if isinstance(error, NumberError) else 2)
        except Failure as failure:
            self._fail(ctx, failure.message, failure.exit_code)
        except BrokenPipeError:
            raise  # click ends quietly when the reader of a pipe has gone
        except OSError as error:
            self._fail(ctx, str(error), 1)

    def _fail(self, ctx: click.Context, message: str, exit_code: int) -> None:
        """Write an error without the box of rich-click, from which no line could be copied."""
        click.echo(f"Error: {message}", err=True)
        ctx.exit(exit_code)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest name."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            given = f"there is no command {args[0]!r}"
            raise InputError(given, ", ".join(names), suggest(args[0], names))
        return super().resolve_command(ctx, args)


class Completed:
    """Completes a value of an option or argument in a shell: with names, which are read then."""

    def __init__(self, names: Callable[[], Iterable[str]], files: bool = False) -> None:
        """Take what returns the names.

        Args:
            names: Returns them; it imports what it needs.
            files: Whether the value may be a file as well.
        """
        self.names, self.files = names, files

    def __call__(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """List what the value may be that begins like this."""
        found = [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")] * self.files


def preset_names() -> Iterable[str]:
    """Return the names of presets."""
    from ..recipes.presets import PRESETS

    return PRESETS


def method_names() -> Iterable[str]:
    """Return the names of methods of `relprop compare`."""
    from ..compare.methods import GRADIENT_METHODS

    return (*preset_names(), *GRADIENT_METHODS)


def fill_names() -> Iterable[str]:
    """Return the names of fills."""
    from ..evaluate import FILLS

    return FILLS


def score_names() -> Iterable[str]:
    """Return the names of scores."""
    from ..evaluate import SCORES

    return SCORES


def model_names() -> Iterable[str]:
    """Return the names of shipped models."""
    from ..models.checkpoint import shipped_models

    return shipped_models()


def training_names() -> Iterable[str]:
    """Return the names of models that can be trained."""
    from ..models.training import TRAININGS

    return TRAININGS


class Count(click.ParamType[int | None]):
    """A whole number, or "all", which is None."""

    name = "N|all"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """Parse the option's text."""
        if value == "all":
            return None
        try:
            return int(value)
        except ValueError:
            option = f"--{param.name}"
            todo = f"write {option} 1000 or {option} all"
            raise InputError(f"{option} {value}", "a whole number, or all", todo) from None


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them."""

    name = "N[,N...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        """Parse the option's text."""
        if isinstance(value, (int, float)):  # of a TOML file
            return (float(value),)
        parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
        try:
            return tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            given, todo = f"--{param.name} {value}", f"write --{param.name} 0.5"
            raise InputError(given, "numbers with commas between them", todo) from None


class Size(click.ParamType[tuple[int, int]]):
    """Height and width, or one number for both."""

    name = "HxW"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Parse the option's text."""
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().replace(",", "x").split("x")
        if len(parts) > 2 or not all(part.isdigit() and int(part) for part in parts):
            given = f"--size {value}"
            raise InputError(given, "height and width in pixels", "write --size 224x224")
        return int(parts[0]), int(parts[-1])


def _read_config(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Take options from a TOML file, which those on the command line override."""
    if value is None:
        return
    try:
        found = tomllib.loads(value.read_text(encoding="utf-8"))
    except OSError as error:
        given = f"--config {value}: {error.strerror or error}"
        raise FileError(given, "a TOML file of options", "check the path") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        given = f"--config {value}: {error}"
        todo = 'write a line for each option, such as budget = "10m" or target = "income"'
        raise FileError(given, "a TOML file of options", todo) from error
    names = {
        flag.removeprefix("--"): str(one.name)
        for one in ctx.command.params
        for flag in (one.opts if isinstance(one, click.Option) else [str(one.name)])
        if flag not in ("--config", "-h")
    }
    options = {name.replace("_", "-"): content for name, content in found.items()}
    for name in options:
        if name not in names:
            raise InputError(f"{value} holds {name!r}", ", ".join(names), suggest(name, names))
    taken = {names[name]: content for name, content in options.items()}
    ctx.default_map = {**(ctx.default_map or {}), **taken}


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    callback=_read_config,
    is_eager=True,
    expose_value=False,
    help="TOML file of these options, which the command line overrides.",
)
DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with mnist/ and fashion-mnist/. Default: $RELPROP_DATA, then the cache, then a "
    "download.",
)
DIGITS = click.option(
    "--digits",
    type=Count(),
    metavar="N|all",
    default="1000",
    show_default=True,
    help="Number of test images, the first ones; or all.",
)


def _seed_option(most: int | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    said = "Random seed; the same seed gives the same numbers."
    kind = click.IntRange(0, most)
    return click.option("--seed", type=kind, default=0, show_default=True, help=said)


SEED = _seed_option(None)
FIT_SEED = _seed_option(2**32 - 1)  # the largest that scikit-learn takes
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON.")
QUIET = click.option("--quiet", is_flag=True, help="Print only the result: no progress.")


MODEL = (
    "Name of a shipped model, or its .safetensors file. Of explain also FILE.py:NAME, timm:NAME, "
    "torchvision:NAME, transformers:FOLDER, a .pt2 file, or the folder of a bundle."
)
TARGET = click.option("--target", help="Of a table or JSON lines: column or key of the label.")
BUDGET = "Wall time for everything: 90s, 10m, 1h30m."
OUT = "Folder for the results."
FILL_HELP = "What replaces removed values: zero, mean, blur, ...; repeat for several."
REMOVAL_STEPS = click.option(
    "--steps", type=int, default=20, show_default=True, help="Number of removal steps."
)
Q = "Fraction of each image's pixels removed at which the error rate is reported."


def out_option(folder: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the option for a command's output folder."""
    kind = click.Path(path_type=Path)
    return click.option("--out", type=kind, default=Path(folder), show_default=True, help=OUT)
