"""How relevance is coloured: colour map, limits, sign and clipping, all checked before drawing.

Takes what the caller wrote and relevance. Gives a frozen record and numbers from -1 to 1. Must not
know images or figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from torch import Tensor

from ..errors import InputError
from ..support.arguments import suggest
from ..support.extras import needs

Sign = Literal["all", "positive", "absolute"]
Limits = Literal["sample", "batch"]

# Red is relevance for the target, blue against it, white none: distinguishable under every common
# form of colour blindness, and by lightness from the middle outwards.
RELEVANCE_COLOURS = "RdBu_r"
# Matplotlib's colour maps with a middle; all others run from one end to the other.
_DIVERGING = frozenset(
    name + end
    for name in (
        *("RdBu", "PiYG", "PRGn", "BrBG", "PuOr", "RdGy", "RdYlBu", "RdYlGn", "Spectral"),
        *("coolwarm", "bwr", "seismic"),
    )
    for end in ("", "_r")
)


class MapOptions(TypedDict, total=False):
    """Keyword arguments by which relevance is coloured, which `Explanation.plot` describes."""

    cmap: str
    sign: Sign
    clip: float
    limits: Limits | float


@dataclass(frozen=True)
class MapStyle:
    """How relevance is coloured.

    Attributes:
        cmap: Name of one of matplotlib's colour maps.
        sign: Whether relevance of both signs is shown, the positive alone, or its size.
        clip: Percentage of the entries, those with the largest |relevance|, that have the fullest
            colour; the others then show against outliers.
        limits: What full colour stands for: the largest |relevance| of each sample, of the whole
            batch, or a number.

    Raises InputError for anything else.
    """

    cmap: str = RELEVANCE_COLOURS
    sign: Sign = "all"
    clip: float = 0.0
    limits: Limits | float = "sample"

    def __post_init__(self) -> None:
        _check_choice("sign", self.sign, get_args(Sign))
        if not isinstance(self.limits, (int, float)):
            _check_choice("limits", self.limits, get_args(Limits), ", or a number above 0")
        elif not self.limits > 0:
            raise InputError(f"limits is {self.limits}", "a number above 0", 'write limits="batch"')
        if isinstance(self.clip, str) or not 0 <= self.clip < 100:
            given = f"clip is {self.clip!r}"
            raise InputError(given, "a percentage from 0, below 100", "write clip=2")
        self._check_colour_map()

    @property
    def has_middle(self) -> bool:
        """Whether the colour map has a middle, which stands for zero."""
        return self.cmap in _DIVERGING

    def limit_of(self, relevance: Tensor) -> float:
        """Return the |relevance| that has full colour, above 0.

        Args:
            relevance: That of a sample, or of the batch.
        """
        if isinstance(self.limits, (int, float)):
            return float(self.limits)
        sizes = shown(relevance, self.sign).abs().flatten()
        largest = float(sizes.max()) if sizes.numel() else 0.0
        if self.clip:
            place = round((1 - self.clip / 100) * (sizes.numel() - 1))
            clipped = float(sizes.sort().values[place])
            largest = clipped or largest  # of a map that is zero but for outliers
        return largest or 1.0

    def _check_colour_map(self) -> None:
        with needs("plot", "pictures"):
            from matplotlib import colormaps
        if self.cmap not in colormaps:
            allowed = "the name of a colour map of matplotlib"
            todo = suggest(self.cmap, colormaps, otherwise=f'write cmap="{RELEVANCE_COLOURS}"')
            raise InputError(f"cmap is {self.cmap!r}", allowed, todo)
        if self.sign == "all" and not self.has_middle:
            raise InputError(
                f'cmap="{self.cmap}", which has no middle for zero, for relevance of both signs',
                f"one of {', '.join(sorted(_DIVERGING))}",
                'write sign="absolute" beside it, or leave cmap out',
            )


def shown(relevance: Tensor, sign: Sign) -> Tensor:
    """Select what is shown of relevance, in float64 on the CPU."""
    values = relevance.detach().cpu().double()
    return {"all": values, "positive": values.clamp(min=0), "absolute": values.abs()}[sign]


def shares(relevance: Tensor, limit: float, style: MapStyle) -> Tensor:
    """Return relevance as shares of the limit, from -1 to 1, of its shape."""
    return (shown(relevance, style.sign) / limit).clamp(-1, 1)


def limits_of(each: Sequence[Tensor], whole: Tensor, style: MapStyle) -> list[float]:
    """Return the limit of each sample, which may be that of the batch.

    Args:
        each: Relevance of each sample.
        whole: That of the batch.
        style: How relevance is coloured.
    """
    if style.limits == "batch":
        return [style.limit_of(whole)] * len(each)
    return [style.limit_of(relevance) for relevance in each]


def _check_choice(name: str, given: object, allowed: tuple[str, ...], more: str = "") -> None:
    if isinstance(given, str) and given in allowed:
        return
    listed = ", ".join(f'"{choice}"' for choice in allowed)
    nearest = suggest(given, allowed, otherwise=f'write "{allowed[0]}"')
    todo = nearest.replace("write ", f"write {name}=")
    raise InputError(f"{name} is {given!r}", listed + more, todo)
