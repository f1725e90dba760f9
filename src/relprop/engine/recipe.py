"""Recipes: which rule each operation of a model gets, as an ordered, printable table.

A recipe is the whole answer: the first row whose selector fits an operation gives its rule.
Knows the rules' names and parameters, and nothing of any model.
"""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..errors import InputError
from .presets import PRESETS
from .rows import Row, Selector
from .rulebook import Rule, brief, closest, complete, keywords


@dataclass(frozen=True)
class Recipe:
    """An ordered table of rows; the first that fits an operation gives its rule.

    Print it to read it. Make one with `Recipe.preset`, change it with `using`.
    """

    name: str
    rows: tuple[Row, ...]

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> "Recipe":
        """A recipe by name: `Recipe.preset("gamma", gamma=0.1)`.

        Uniform: zero, epsilon, gamma, alpha-beta. By depth, as the Zennit library defines them:
        epsilon-plus, epsilon-plus-flat, epsilon-gamma-box (low and high must be given),
        epsilon-alpha2-beta1, epsilon-alpha2-beta1-flat.
        Raises InputError for an unknown name or parameter, and for a parameter out of range.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise InputError(f"unknown preset {name!r}", ", ".join(PRESETS), closest(name, PRESETS))
        known = keywords(PRESETS[name])
        given = complete(f'preset "{name}"', known, parameters)
        changed = [
            f"{key}={brief(value)}"
            for key, value in given.items()
            if isinstance(value, Tensor) or value != known[key].default
        ]
        label = f"{name}({', '.join(changed)})" if changed else name
        return cls(label, tuple(PRESETS[name](**given)))

    def using(self, name: str, rule: str, **parameters: Any) -> "Recipe":
        """The same recipe, but with `rule` for the modules whose dotted name fits the glob `name`.

        It goes before all other rows. A name that fits no weighted sum is an error when planning.
        Raises InputError for an unknown rule or parameter, and for a parameter out of range.
        """
        if not isinstance(name, str):
            raise InputError(f"a module name of {name!r}", "a string", 'write "features.3"')
        row = Row(Selector(name=name), Rule(rule, parameters), required=True)
        return replace(self, rows=(row, *self.rows))

    def __str__(self) -> str:
        return "\n".join([f"recipe {self.name}", *(f"  {row}" for row in self.rows)])
