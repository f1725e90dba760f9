"""Selectors of operations, and the rows of a recipe, which pair a selector with a rule.

Takes globs, kinds and depths, and the location of an operation. Gives whether it is selected.
Must not know graphs or models.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import InputError
from ..graph.ops import KINDS, Kind
from ..rules.rule import Rule
from ..support.arguments import suggest

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(\d*\.?\d+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXAMPLES = {"name": "features.3", "type": "Conv2d", "operation": "detach"}
_DEPTHS = '"first", "last", or a comparison with a fraction such as "< 0.3"'


@dataclass(frozen=True)
class Location:
    """Where an operation is in a model: all that selectors look at.

    Attributes:
        module: Dotted name of the module that runs the operation; "" for the model itself.
        type: Class name of that module.
        operation: The operation's name, as the plan prints it.
        kind: Kind of rule that the operation takes; None if it needs none.
        depth: Number of layers before it, as a fraction of all layers.
        first: It is a layer, and no other layer comes before it.
        last: It is a layer, and no other layer comes after it.
        gated: It is a product, and one factor can be told to be the gate of the other.
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
    """Select operations of a model by name, type, kind and depth.

    An operation is selected if it meets all conditions that are not None. Globs are those of
    `fnmatch`: `*` matches dots, too.

    Attributes:
        name: Glob on the dotted name of the module that runs the operation.
        type: Glob on the class name of that module, such as "Conv2d".
        kinds: Kinds of operations, such as ("convolution", "linear").
        depth: "first" or "last" for layers that no other layer comes before or after; or a
            comparison such as "< 0.3" with the number of layers before the operation, as a
            fraction of all layers. Layers are convolutions and linear layers, not pooling.
        operation: Glob on the name of the operation itself, such as "detach", as the plan
            prints it.

    Raises:
        InputError: A condition of the wrong type, or a kind or depth that does not exist.

    Example:
        >>> import relprop
        >>> early = relprop.Selector(kinds=("convolution",), depth="< 0.3")
        >>> print(relprop.Recipe.preset("epsilon").using(early, "gamma").rows[0])
        any convolution at depth < 0.3       gamma(gamma=0.25)
    """

    name: str | None = None
    type: str | None = None
    kinds: tuple[Kind, ...] | None = None
    depth: str | None = None
    operation: str | None = None

    def __post_init__(self) -> None:
        """Check the conditions."""
        for label, example in _EXAMPLES.items():
            glob = getattr(self, label)
            if glob is not None and not isinstance(glob, str):
                todo = f'write {label}="{example}"'
                if isinstance(glob, type):
                    todo = f'write type="{glob.__name__}"'
                elif callable(glob):  # a module
                    todo = f'write type="{type(glob).__name__}", or the dotted name of the module'
                raise InputError(f"a selector with {label}={glob!r}", "a string, a glob", todo)
        if isinstance(self.kinds, str):
            todo = f'write kinds=("{self.kinds}",)'
            raise InputError(f"a selector with kinds={self.kinds!r}", "a tuple of kinds", todo)
        if self.kinds is not None and not isinstance(self.kinds, (list, tuple)):
            todo = 'write kinds=("convolution",)'
            raise InputError(f"a selector with kinds={self.kinds!r}", "a tuple of kinds", todo)
        if isinstance(self.kinds, list):  # frozen records are hashed, which lists cannot be
            object.__setattr__(self, "kinds", tuple(self.kinds))
        for kind in self.kinds or ():
            if kind not in KINDS:
                raise InputError(f"the kind {kind!r}", ", ".join(KINDS), suggest(kind, KINDS))
        if self.depth not in (None, "first", "last") and not _COMPARISON.fullmatch(str(self.depth)):
            raise InputError(f"the depth {self.depth!r}", _DEPTHS, 'write depth="< 0.3"')

    @property
    def is_explicit(self) -> bool:
        """Whether it names modules, their types or operations, and not only kinds or depths."""
        return any(glob is not None for glob in (self.name, self.type, self.operation))

    def matches(self, location: Location) -> bool:
        """Tell whether an operation is selected.

        Args:
            location: Where the operation is in its model.

        Returns:
            Whether it meets all conditions.
        """
        return (
            (self.name is None or fnmatchcase(location.module, self.name))
            and (self.type is None or fnmatchcase(location.type, self.type))
            and (self.operation is None or fnmatchcase(location.operation, self.operation))
            and (self.kinds is None or location.kind in self.kinds)
            and self._matches_depth(location)
        )

    def _matches_depth(self, location: Location) -> bool:
        if self.depth is None:
            return True
        if self.depth in ("first", "last"):
            return location.first if self.depth == "first" else location.last
        comparison = _COMPARISON.fullmatch(self.depth)
        assert comparison is not None
        return _COMPARE[comparison[1]](location.depth, float(comparison[2]))

    def __str__(self) -> str:
        compared = self.depth is not None and self.depth not in ("first", "last")
        end = self.depth if self.depth and not compared else ""
        words = [f'"{self.name}"'] if self.name is not None else []
        words += [self.type] if self.type is not None else []
        if not words or self.kinds:
            kinds = " or ".join(self.kinds) if self.kinds else "operation"
            words.append(f"any {end} {kinds}" if end else f"any {kinds}")
        elif end:
            words.append(end)
        words += [f"({self.operation})"] if self.operation is not None else []
        words += [f"at depth {self.depth}"] if compared else []
        return " ".join(words)


def selector_of_name(name: object, rule: str) -> Selector:
    """Return the selector of modules of a name. Raises InputError for what is no text.

    Args:
        name: The name; it may be anything.
        rule: The rule that is chosen for them, with its parameters, as it is written in code.
    """
    if isinstance(name, str):
        return Selector(name=name)
    several = isinstance(name, (list, tuple, set, frozenset))
    calls = "".join(f".using({_as_selector(one)}, {rule})" for one in (name if several else [name]))  # type: ignore[attr-defined]
    todo = f"write recipe{calls}" if calls else f'write recipe.using("*", {rule})'
    if callable(name) and not isinstance(name, type):
        todo += ", or the dotted name of the module, which print(explainer.plan(x)) shows"
    given = f"a selector of type {type(name).__name__}"
    raise InputError(given, "a glob on names of modules, or a relprop.Selector", todo)


def _as_selector(one: object) -> str:
    """Write a selector: of a class or a module by its type, of all else by name."""
    if isinstance(one, type) or callable(one):
        return f'relprop.Selector(type="{(one if isinstance(one, type) else type(one)).__name__}")'
    return str(one) if isinstance(one, Selector) else f'"{one}"'


@dataclass(frozen=True)
class RecipeRow:
    """One row of a recipe.

    Attributes:
        selector: Selects the operations.
        rule: The rule that they get.
        required: The row must apply to some operation, or planning fails: the user wrote it.
    """

    selector: Selector
    rule: Rule
    required: bool = False

    def matches(self, location: Location) -> bool:
        """Tell whether the rule applies to an operation at this location.

        An operation that needs no rule gets one only from a row that names its module, its
        module's type or the operation itself, and no kind.
        """
        definition = self.rule.definition
        if definition.operations:
            return location.operation in definition.operations and self.selector.matches(location)
        if location.kind is None:
            explicit = self.selector.is_explicit and not self.selector.kinds
            takes = definition.any_named or location.operation in definition.operations
            return takes and explicit and self.selector.matches(location)
        # A rule that gives all relevance to the signal needs to know which factor that is.
        unclear = location.kind == "product" and not location.gated
        if unclear and definition.receives == "signal":
            return False
        return location.kind in definition.kinds and self.selector.matches(location)

    def __str__(self) -> str:
        return f"{self.selector!s:<36} {self.rule}"
