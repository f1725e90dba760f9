"""The rows of a recipe: a selector of operations, and the rule that they get."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from .rulebook import Rule

Kind = Literal["convolution", "linear", "average-pool"]
POOL: Kind = "average-pool"


@dataclass(frozen=True)
class Selector:
    """Which operations a row is for: all conditions must hold, None is no condition.

    name      glob on the dotted name of the module that ran the operation
    kinds     kinds of weighted sum
    first     only those that no other weighted sum comes before (pooling does not count)
    """

    name: str | None = None
    kinds: tuple[Kind, ...] | None = None
    first: bool = False

    def fits(self, module: str, kind: Kind, first: bool) -> bool:
        """Whether an operation of this module, kind and place is selected."""
        named = self.name is None or fnmatchcase(module, self.name)
        return named and (self.kinds is None or kind in self.kinds) and (first or not self.first)

    def __str__(self) -> str:
        place = "first " if self.first else ""
        kinds = " or ".join(self.kinds) if self.kinds else "weighted sum"
        return f'"{self.name}"' if self.name is not None else f"any {place}{kinds}"


@dataclass(frozen=True)
class Row:
    """One line of a recipe. `required`: it must fit something, or planning fails."""

    selector: Selector
    rule: Rule
    required: bool = False

    def __str__(self) -> str:
        return f"{self.selector!s:<36} {self.rule}"
