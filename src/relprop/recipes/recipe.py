"""Recipes: which rule each operation of a model gets, as an ordered, printable table.

A recipe is the whole answer: the first row whose selector fits an operation gives its rule.
Knows the rules' names and parameters, and nothing of any model.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..graph.ops import Kind
from ..rules.registry import Rule, RuleDefinition, brief
from ..support.arguments import complete_parameters, keyword_parameters, suggest
from . import serialize as documents
from .presets import PRESETS, automatic
from .selectors import RecipeRow, Selector


@dataclass(frozen=True)
class Recipe:
    """An ordered table of rows; the first that fits an operation gives its rule.

    Print it to read it. Make one with `Recipe.preset`, change it with `using`.
    """

    name: str
    rows: tuple[RecipeRow, ...]
    automatic: bool = False

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> "Recipe":
        """A recipe by name: `Recipe.preset("gamma", gamma=0.1)`.

        auto: one of these, by what the model has; the plan says which.
        Uniform: zero, epsilon, gamma, alpha-beta. By depth, as the Zennit library defines them:
        epsilon-plus, epsilon-plus-flat, epsilon-gamma-box (low and high must be given),
        epsilon-alpha2-beta1, epsilon-alpha2-beta1-flat. For attention: attnlrp, cp-lrp.
        Raises InputError for an unknown name or parameter, and for a parameter out of range.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise InputError(f"unknown preset {name!r}", ", ".join(PRESETS), suggest(name, PRESETS))
        known = keyword_parameters(PRESETS[name])
        given = complete_parameters(f'preset "{name}"', known, parameters)
        changed = [
            f"{key}={brief(value)}"
            for key, value in given.items()
            if isinstance(value, Tensor) or value != known[key].default
        ]
        label = f"{name}({', '.join(changed)})" if changed else name
        return cls(label, tuple(PRESETS[name](**given)), automatic=name == "auto")

    def using(
        self, selector: str | Selector, rule: str | RuleDefinition, **parameters: Any
    ) -> "Recipe":
        """The same recipe, but with `rule` for the operations that `selector` fits.

        selector  a glob on dotted names of modules, or a `Selector`
        rule      a rule's name, or one of one's own, made by `relprop.rule`
        It goes before all other rows. One that fits no operation is an error when planning.
        Raises InputError for an unknown rule or parameter, and for a parameter out of range.
        """
        chosen = selector if isinstance(selector, Selector) else Selector(name=selector)
        row = RecipeRow(chosen, Rule.of(rule, parameters), required=True)
        return replace(self, rows=(row, *self.rows))

    def to_toml(self) -> str:
        """The recipe as TOML. Raises InputError for a rule of one's own."""
        return documents.to_toml(self._document)

    def to_json(self) -> str:
        """The recipe as JSON. Raises InputError for a rule of one's own."""
        return documents.to_json(self._document)

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """The recipe of TOML text. Raises InputError where it is none."""
        found = documents.from_toml(text)
        return cls(found.name, found.rows, found.automatic)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe of JSON text. Raises InputError where it is none."""
        found = documents.from_json(text)
        return cls(found.name, found.rows, found.automatic)

    @property
    def _document(self) -> documents.Document:
        return documents.Document(self.name, self.rows, self.automatic)

    def resolved(self, kinds: Container[Kind]) -> "Recipe":
        """The recipe for a model that has operations of these kinds: "auto" chooses its rows."""
        if not self.automatic:
            return self
        name, why = automatic(kinds)
        label = f"{self.name}: {name}, as {why}"
        return Recipe(label, (*self.rows, *Recipe.preset(name).rows))

    def __str__(self) -> str:
        rows = [f"  {row}" for row in self.rows]
        rows += ["  (then the rows of a preset, chosen for the model)"] if self.automatic else []
        return "\n".join([f"recipe {self.name}", *rows])
