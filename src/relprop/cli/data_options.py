"""Options that say what is known about a data set, where it is not to be found out.

Gives a decorator that hands a command a `DataOptions`. Must not know what the command does.
"""

import csv
import functools
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import click

from ..data.dataset import Resize
from ..errors import InputError
from ..support.arguments import suggest
from .options import TARGET

_FACTORS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_KINDS = ("number", "category", "date")
_MODALITIES = ("picture", "table", "series", "text")


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them; one that has a comma stands in double quotes, as in CSV."""

    name = "NAME[,NAME...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Parse the option's text, or the list of a TOML file."""
        parts = value if isinstance(value, (list, tuple)) else self._split(str(value), param)
        return tuple(str(part).strip() for part in parts if str(part).strip())

    def _split(self, text: str, param: Any) -> list[str]:
        try:
            return next(csv.reader([text], skipinitialspace=True, strict=True), [])
        except csv.Error as error:
            allowed = "names with commas between them, one with a comma inside in double quotes"
            todo = f"write --{param.name} " + shlex.quote('"one, name",another')
            raise InputError(f"--{param.name} {text}", allowed, todo) from error


class Memory(click.ParamType[int]):
    """A number of bytes, with a unit."""

    name = "SIZE"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Parse the option's text, such as 2GB."""
        text = str(value).replace(" ", "").upper()
        digits = text.rstrip("KMGTB")
        factor = _FACTORS.get(text[len(digits) :])
        try:
            size = float(digits) * (factor or 0)
        except ValueError:
            size = 0
        if not 1 <= size < 2**63:
            given = f"--{param.name} {value}"
            raise InputError(
                given, "bytes, or a number with KB, MB, GB or TB", "write --memory 2GB"
            )
        return int(size)


class ColumnKinds(click.ParamType[tuple[str, str]]):
    """A column with its kind."""

    name = "NAME=KIND"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Parse the option's text; a name may contain "="."""
        if isinstance(value, tuple):
            return value[0], value[1]
        column, sign, kind = str(value).rpartition("=")
        if not sign or not column:
            given, allowed = f"--column {value}", f"NAME=KIND, with the kind {', '.join(_KINDS)}"
            todo = f"write --column {shlex.quote(value.strip('=') + '=category')}"
            raise InputError(given, allowed, todo)
        if kind not in _KINDS:
            near = suggest(kind, _KINDS).replace("write ", "").strip('"')
            named = f"{column}={near if near in _KINDS else 'category'}"
            todo = f"write --column {shlex.quote(named)}"
            raise InputError(f"--column {value}", f"the kinds {', '.join(_KINDS)}", todo)
        return column, kind


_OPTIONS = (
    TARGET,
    click.option(
        "--labels",
        type=Names(),
        default=(),
        help="Of a table: several columns of 0 and 1, each of which is predicted. A name with a "
        "comma stands in double quotes: '\"a, b\",c'.",
    ),
    click.option(
        "--modality",
        type=click.Choice(_MODALITIES),
        help="What the samples are. Default: the data tells.",
    ),
    click.option(
        "--test",
        type=click.Path(path_type=Path),
        help="File with the official test part. Default: one beside the data, or a part of it.",
    ),
    click.option(
        "--drop",
        type=Names(),
        default=(),
        help="Of a table: columns to leave out. A name with a comma stands in double quotes: "
        "'\"a, b\",c'.",
    ),
    click.option(
        "--column",
        "columns",
        type=ColumnKinds(),
        multiple=True,
        help="Of a table: what a column is: number, category or date. May be given several times.",
    ),
    click.option("--group", help="Of a table: column whose equal values stay in the same part."),
    click.option(
        "--time", help="Of a table: column by which the latest rows become the test part."
    ),
    click.option(
        "--resize",
        type=click.Choice(get_args(Resize)),
        help="Of pictures of several sizes: crop cuts the middle out, stretch changes their shape, "
        "pad fills up with black. Default: crop.",
    ),
    click.option(
        "--memory",
        type=Memory(),
        help="Memory to take at most: 2GB. Larger data is sampled. Default: half of what is free.",
    ),
)


def data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options about data; it is called with them as `data_options`.

    Args:
        command: With the parameters `data_options`, a `DataOptions`, and `seed`.

    Returns:
        The command with the options, which takes each of them apart.
    """

    @functools.wraps(command)
    def called(
        target: str | None,
        labels: tuple[str, ...],
        modality: Any,
        test: Path | None,
        drop: tuple[str, ...],
        columns: Iterable[tuple[str, Any]],
        group: str | None,
        time: str | None,
        memory: int | None,
        resize: Any,
        seed: int,
        **others: Any,
    ) -> None:
        from ..data.options import DataOptions

        options = DataOptions(
            target=target,
            labels=labels,
            modality=modality,
            test=test,
            drop=drop,
            kinds=dict(columns),
            group=group,
            time=time,
            seed=seed,
            memory=memory,
            resize=resize,
        )
        command(data_options=options, seed=seed, **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called
