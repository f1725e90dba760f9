"""The settings of a report, as the command line or a TOML file gives them, checked before any work.

Takes options. Gives a frozen record, and the command that makes the report again.
"""

import shlex
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import FileError, InputError
from ..recipes.presets import PRESETS
from ..recipes.recipe import Recipe
from ..support.arguments import check_seed, suggest

_POSITIONAL = ("data",)


TUNED = "tuned"  # the recipe that `relprop tune` wrote into a bundle


@dataclass(frozen=True)
class Settings:
    """What is explained, and how.

    Attributes:
        data: Files and folders of samples.
        model: The model; see `load_user_model`.
        weights: Its weights; None: those that it has.
        classes: A text file with a class name in each line; None: those that the model or the data
            has.
        recipe: Name of a preset, a TOML file of a recipe, or "tuned" for that of a bundle.
        explain: "predicted", "runner-up", "label", or the name or number of a class.
        target: Column of a table, or key of a JSON line, that holds the label.
        text: Key of a JSON line that holds the text.
        preprocess: "FILE.py:NAME", a function that makes samples to what the model takes.
        size: Height and width of pictures.
        mean: What is subtracted of each channel of a picture, of values from 0 to 1.
        std: What each channel is divided by.
        tokenizer: Folder of a Hugging Face tokenizer.
        samples: How many samples are explained, evenly spaced; None: all.
        curves: How many of them removal curves are measured on; 0: none.
        batch_size: Samples in a backward pass.
        seed: Random seed of the removal curves.
    """

    data: tuple[Path, ...]
    model: str
    weights: Path | None = None
    classes: Path | None = None
    recipe: str = "auto"
    explain: str = "predicted"
    target: str | None = None
    text: str = "text"
    preprocess: str | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    tokenizer: Path | None = None
    samples: int | None = 200
    curves: int = 32
    batch_size: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.data:
            raise InputError("no data", "a folder or files", "name them before the options")
        for name, least in (("samples", 1), ("curves", 0), ("batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = f"--{name.replace('_', '-')}"
                given = f"{option} {value}"
                raise InputError(given, f"a number from {least}", f"write {option} {least}")
        check_seed(self.seed)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if any(abs(value) > 8 for value in values):  # as of values from 0 to 255
                scaled = ",".join(f"{value / 255:.4g}" for value in values)
                given = f"--{name} {','.join(f'{value:g}' for value in values)}"
                allowed = "numbers for pictures whose values go from 0 to 1"
                raise InputError(given, allowed, f"write --{name} {scaled}")


def read_recipe(name: str) -> Recipe:
    """Return the recipe of a preset's name or a TOML file.

    Raises:
        InputError: There is no such preset.
        FileError: There is no such file, or it holds no recipe.
    """
    if not name.endswith(".toml"):
        return Recipe.preset(name)
    path = Path(name)
    if not path.is_file():
        near = suggest(name, PRESETS, otherwise="give the path of a recipe's TOML file")
        raise FileError(f"there is no file {path}", "a preset, or a TOML file", near)
    return Recipe.from_toml(path.read_text())


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read class names, one in each line.

    Raises:
        FileError: There is no such file, or it is no text.
        InputError: It is empty, or holds a name twice.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        given = f"the class names {path} cannot be read: {error}"
        raise FileError(
            given, "a text file with a name in each line", "give another file"
        ) from None
    names = tuple(line for line in lines if line)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not names:
        given = f"{path} holds {twice!r} twice" if twice else f"{path} is empty"
        raise InputError(given, "a name for each class, in their order", "mend the file")
    return names


def command_line(settings: Settings, out: Path) -> str:
    """Return the command line that makes the same report again."""
    words = ["relprop", "explain", *(str(path) for path in settings.data)]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.name in _POSITIONAL or (value == field.default and field.name != "model"):
            continue
        words += [f"--{field.name.replace('_', '-')}", _option_text(field.name, value)]
    return shlex.join([*words, "--out", str(out)])


def _option_text(name: str, value: object) -> str:
    if name == "samples" and value is None:
        return "all"
    if name == "size" and isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, tuple):
        return ",".join(map(repr, value))
    return str(value)
