"""The recipes that a search chooses from: a rule for each part of a model, and its parameters.

Takes parts and choices. Gives recipes, and the choices that make a given recipe. Must not know
models, samples, scores or Optuna.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from ..graph.ops import Kind
from ..recipes.presets import BETWEEN_LAYERS
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, RecipeRow, Selector
from ..rules.rule import Rule

FIRST = "first layer"
AS_ITS_BLOCK = "as its block"
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Span:
    """The values that a parameter of a rule may have, on a logarithmic scale."""

    low: float
    high: float


# Parameters that are searched, by rule. Epsilon is relative to the root mean square of a layer's
# output, so that one range serves layers of any size; `alpha` also decides beta = alpha - 1.
PARAMETERS: Mapping[str, Mapping[str, Span]] = MappingProxyType(
    {
        "epsilon": {"epsilon": Span(1e-4, 1.0)},
        "gamma": {"gamma": Span(0.01, 10.0)},
        "gamma-by-sign": {"positive": Span(0.01, 10.0), "negative": Span(0.01, 10.0)},
        "alpha-beta": {"alpha": Span(1.01, 4.0)},
        "signal-takes-all": {"epsilon": Span(1e-4, 1.0)},
    }
)


class Chooser(Protocol):
    """Chooses values by name, as a trial of Optuna's does."""

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        """Choose one of several values."""
        ...

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool) -> float:
        """Choose a number."""
        ...


@dataclass(frozen=True)
class Dimension:
    """One part of a model, and the rules that it may have.

    Attributes:
        name: What is chosen, such as "block 1 of 3".
        selector: Selects its operations.
        rules: Names of rules, the usual one first.
        kind: Kind of its operations, or of most of them; None: they need no rule.
    """

    name: str
    selector: Selector
    rules: tuple[str, ...]
    kind: Kind | None


@dataclass(frozen=True)
class RecipeSpace:
    """The recipes of a search: a choice of rule for each part of the model. Print it to read it.

    Attributes:
        dimensions: The parts, in the order of their rows.
        bounds: Lowest and highest input, for z-box in the first layer; None: it is no choice.
        fixed: Rows for all else.
    """

    dimensions: tuple[Dimension, ...]
    bounds: tuple[Any, Any] | None = None
    fixed: tuple[RecipeRow, ...] = field(default=tuple(BETWEEN_LAYERS), repr=False)

    def choose(self, chooser: Chooser) -> Recipe:
        """Make a recipe of one choice for each part.

        Args:
            chooser: Chooses by name; a trial of Optuna's, for example.
        """
        rows = []
        for one in self.dimensions:
            name = chooser.suggest_categorical(one.name, list(one.rules))
            if name in (AS_ITS_BLOCK, UNCHANGED):
                continue
            values = {
                key: chooser.suggest_float(parameter_name(one, name, key), s.low, s.high, log=True)
                for key, s in PARAMETERS.get(name, {}).items()
            }
            rows.append(RecipeRow(one.selector, self._rule(name, values)))
        return Recipe("tuned", (*rows, *self.fixed))

    def choices_of(self, recipe: Recipe) -> dict[str, Any]:
        """Return the choices that come nearest to a recipe of rules by kind, such as a preset.

        A rule that a part cannot have becomes its usual one, and a parameter out of its range the
        nearest value that it may have.

        Args:
            recipe: The recipe.
        """
        chosen: dict[str, Any] = {}
        for one in self.dimensions:
            rule, name = _rule_of(recipe, one), one.rules[0]
            if one.name == FIRST and rule == _rule_of(recipe, replace(one, name="")):
                rule = None
            if rule is not None and rule.name in one.rules:
                name = rule.name
            chosen[one.name] = name
            for key, span in PARAMETERS.get(name, {}).items():
                value = rule.parameters.get(key, span.low) if rule is not None else span.low
                chosen[parameter_name(one, name, key)] = min(max(value, span.low), span.high)
        return chosen

    def _rule(self, name: str, values: Mapping[str, float]) -> Rule:
        if name == "z-box":
            assert self.bounds is not None
            return Rule(name, {"low": self.bounds[0], "high": self.bounds[1]})
        if name == "epsilon" and values:
            return Rule(name, {**values, "relative": True})
        if name == "alpha-beta":
            return Rule(name, {**values, "beta": values["alpha"] - 1})
        return Rule(name, dict(values))

    def __str__(self) -> str:
        lines = [
            f"  {one.name:<24} {' | '.join(map(_written, one.rules))}" for one in self.dimensions
        ]
        return "\n".join(["recipes with these rules", *lines])


def parameter_name(one: Dimension, rule: str, key: str) -> str:
    """Return what a parameter of a rule is called where it is chosen."""
    return f"{one.name}: {key} of {rule}"


def _rule_of(recipe: Recipe, one: Dimension) -> Rule | None:
    """Return the rule that a recipe gives to the operations of a dimension, by their kind."""
    at = Location(
        module="",
        type="",
        operation=one.selector.operation or "",
        kind=one.kind,
        depth=0.5,
        first=one.name == FIRST,
        last=False,
        gated=False,
    )
    return next((row.rule for row in recipe.rows if row.matches(at)), None)


def _written(rule: str) -> str:
    """Write a rule with the ranges of its parameters."""
    spans = (f"{key}={s.low:g}..{s.high:g}" for key, s in PARAMETERS.get(rule, {}).items())
    listed = ", ".join(spans)
    return f"{rule}({listed})" if listed else rule
