"""The options of a plot, checked before anything is drawn.

`PlotOptions` names them for type checkers and editors; `Explanation.plot` describes them. Takes
what the caller wrote, gives frozen records. Must not know explanations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InputError
from ..support.arguments import suggest
from .pictures import PictureOptions, PictureStyle
from .style import MapOptions, MapStyle


class PlotOptions(MapOptions, PictureOptions, total=False):
    """Keyword arguments of `Explanation.plot`, which describes them."""

    class_names: Sequence[str]
    feature_names: Sequence[str] | None
    groups: Mapping[str, Sequence[str | int]] | None
    features: int
    waterfall: bool
    tokens: Any
    words: bool
    values: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Naming:
    """Names of what is drawn, and how much of it; see `Explanation.plot`."""

    class_names: Sequence[str] = ()
    feature_names: Sequence[str] | None = None
    groups: Mapping[str, Sequence[str | int]] | None = None
    features: int = 12
    waterfall: bool = False
    tokens: Any = None
    words: bool = False
    values: Sequence[Mapping[str, str]] = ()


def read_options(options: Mapping[str, Any]) -> tuple[MapStyle, PictureStyle, Naming]:
    """Sort keyword arguments by what they are for. Raises InputError for one that is wrong."""
    names = {
        kind: {field.name for field in fields(kind)} for kind in (MapStyle, PictureStyle, Naming)
    }
    every = set().union(*names.values())
    for name in options:
        if name not in every:
            allowed = ", ".join(sorted(every))
            todo = "write tokens=tokenizer" if name == "tokenizer" else suggest(name, every)
            raise InputError(f"the option {name!r} of a plot", allowed, todo)
    style, pictures, naming = (
        kind(**{name: options[name] for name in options if name in own})
        for kind, own in names.items()
    )
    return style, pictures, naming  # type: ignore[return-value]
