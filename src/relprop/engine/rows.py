"""The rows of a recipe: a selector of operations, and the rule that they get."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import InputError
from .kinds import KINDS, Kind
from .rulebook import Rule, closest

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(\d*\.?\d+)")
_DEPTHS = '"first", "last", or a comparison with a fraction such as "< 0.3"'


@dataclass(frozen=True)
class Place:
    """Where an operation stands in a model: what selectors look at.

    module  dotted name of the module that ran it         type  that module's class
    depth   how many of all layers come before it, as a fraction
    first   no other layer comes before it                last  none comes after it
    gated   of a product: one factor is the other's gate
    """

    module: str
    type: str
    kind: Kind | None
    depth: float
    first: bool
    last: bool
    gated: bool


@dataclass(frozen=True)
class Selector:
    """Which operations a row is for: all conditions must hold, None is no condition.

    name   glob on the dotted name of the module that ran the operation
    type   glob on that module's class, such as "Conv2d"
    kinds  of operations
    depth  "first", "last": layers that no other layer comes before, or after; "< 0.3", "<=", ">",
           ">=": how many of all layers come before it, as a fraction. Pooling does not count.
    Raises InputError for a kind or a depth that does not exist.
    """

    name: str | None = None
    type: str | None = None
    kinds: tuple[Kind, ...] | None = None
    depth: str | None = None

    def __post_init__(self) -> None:
        for label, glob in (("name", self.name), ("type", self.type)):
            if glob is not None and not isinstance(glob, str):
                raise InputError(f"a module {label} of {glob!r}", "a string", 'write "features.3"')
        for kind in self.kinds or ():
            if kind not in KINDS:
                raise InputError(f"the kind {kind!r}", ", ".join(KINDS), closest(kind, KINDS))
        simple = self.depth in (None, "first", "last")
        if not simple and not _COMPARISON.fullmatch(str(self.depth)):
            raise InputError(f"the depth {self.depth!r}", _DEPTHS, 'write depth="< 0.3"')

    @property
    def names(self) -> bool:
        """Whether it says which modules it is for."""
        return self.name is not None or self.type is not None

    def fits(self, place: Place) -> bool:
        """Whether an operation at this place is selected."""
        return (
            (self.name is None or fnmatchcase(place.module, self.name))
            and (self.type is None or fnmatchcase(place.type, self.type))
            and (self.kinds is None or place.kind in self.kinds)
            and self._is_so_deep(place)
        )

    def _is_so_deep(self, place: Place) -> bool:
        if self.depth is None:
            return True
        if self.depth in ("first", "last"):
            return place.first if self.depth == "first" else place.last
        match = _COMPARISON.fullmatch(self.depth)
        assert match is not None
        bound, depth = float(match[2]), place.depth
        return {"<": depth < bound, "<=": depth <= bound, ">": depth > bound, ">=": depth >= bound}[
            match[1]
        ]

    def __str__(self) -> str:
        simple = self.depth in ("first", "last")
        parts = [f'"{self.name}"'] if self.name is not None else []
        parts += [self.type] if self.type is not None else []
        if not parts or self.kinds:
            parts.append(f"any {self.depth} " if simple else "any ")
            parts[-1] += " or ".join(self.kinds) if self.kinds else "operation"
        elif simple:
            parts.append(str(self.depth))
        if self.depth is not None and not simple:
            parts.append(f"at depth {self.depth}")
        return " ".join(parts)


@dataclass(frozen=True)
class Row:
    """One line of a recipe. `required`: it must fit something, or planning fails."""

    selector: Selector
    rule: Rule
    required: bool = False

    def fits(self, place: Place) -> bool:
        """Whether an operation at this place gets the row's rule.

        An operation that needs no rule gets one only where a row names its module.
        """
        definition = self.rule.definition
        if place.kind is None:
            explicit = definition.any_named and self.selector.names and not self.selector.kinds
            return explicit and self.selector.fits(place)
        clear = place.kind != "product" or place.gated or definition.receives != "signal"
        return clear and place.kind in definition.kinds and self.selector.fits(place)

    def __str__(self) -> str:
        return f"{self.selector!s:<36} {self.rule}"
