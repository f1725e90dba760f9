"""The rows of a recipe: a selector of operations, and the rule that they get."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import InputError
from ..graph.ops import KINDS, Kind
from ..rules.registry import Rule
from ..support.arguments import suggest

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(\d*\.?\d+)")
_EXAMPLES = {"name": "features.3", "type": "Conv2d", "operation": "detach"}
_DEPTHS = '"first", "last", or a comparison with a fraction such as "< 0.3"'


@dataclass(frozen=True)
class Location:
    """Where an operation stands in a model: what selectors look at.

    module     dotted name of the module that ran it      type  that module's class
    operation  its own name, as the plan prints it
    depth   how many of all layers come before it, as a fraction
    first   no other layer comes before it                last  none comes after it
    gated   of a product: one factor is the other's gate
    """

    module: str
    type: str
    operation: str
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
    operation  glob on the operation's own name, such as "detach", as the plan prints it
    depth  "first", "last": layers that no other layer comes before, or after; "< 0.3", "<=", ">",
           ">=": how many of all layers come before it, as a fraction. Pooling does not count.
    Raises InputError for a kind or a depth that does not exist.
    """

    name: str | None = None
    type: str | None = None
    kinds: tuple[Kind, ...] | None = None
    depth: str | None = None
    operation: str | None = None

    def __post_init__(self) -> None:
        for label in ("name", "type", "operation"):
            glob = getattr(self, label)
            if glob is not None and not isinstance(glob, str):
                example = f'write {label}="{_EXAMPLES[label]}"'
                raise InputError(f"a selector's {label} of {glob!r}", "a string", example)
        if isinstance(self.kinds, str):
            todo = f'write kinds=("{self.kinds}",)'
            raise InputError(f"kinds is {self.kinds!r}", "a tuple of kinds", todo)
        for kind in self.kinds or ():
            if kind not in KINDS:
                raise InputError(f"the kind {kind!r}", ", ".join(KINDS), suggest(kind, KINDS))
        simple = self.depth in (None, "first", "last")
        if not simple and not _COMPARISON.fullmatch(str(self.depth)):
            raise InputError(f"the depth {self.depth!r}", _DEPTHS, 'write depth="< 0.3"')

    @property
    def is_explicit(self) -> bool:
        """Whether it says which modules or operations it is for."""
        return any(glob is not None for glob in (self.name, self.type, self.operation))

    def matches(self, place: Location) -> bool:
        """Whether an operation at this place is selected."""
        return (
            (self.name is None or fnmatchcase(place.module, self.name))
            and (self.type is None or fnmatchcase(place.type, self.type))
            and (self.operation is None or fnmatchcase(place.operation, self.operation))
            and (self.kinds is None or place.kind in self.kinds)
            and self._is_so_deep(place)
        )

    def _is_so_deep(self, place: Location) -> bool:
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
        parts += [f"({self.operation})"] if self.operation is not None else []
        if self.depth is not None and not simple:
            parts.append(f"at depth {self.depth}")
        return " ".join(parts)


@dataclass(frozen=True)
class RecipeRow:
    """One line of a recipe. `required`: it must fit something, or planning fails."""

    selector: Selector
    rule: Rule
    required: bool = False

    def matches(self, place: Location) -> bool:
        """Whether an operation at this place gets the row's rule.

        An operation that needs no rule gets one only where a row names its module, or itself.
        """
        definition = self.rule.definition
        if place.kind is None:
            explicit = (
                definition.any_named and self.selector.is_explicit and not self.selector.kinds
            )
            return explicit and self.selector.matches(place)
        clear = place.kind != "product" or place.gated or definition.receives != "signal"
        return clear and place.kind in definition.kinds and self.selector.matches(place)

    def __str__(self) -> str:
        return f"{self.selector!s:<36} {self.rule}"
