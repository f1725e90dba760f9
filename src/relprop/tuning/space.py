"""The recipes that a search chooses from: a rule for each part of a model, and its parameters.

Takes the plan of a model. Gives dimensions that can be printed, and recipes. Must not know
samples, scores or Optuna.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import InputError
from ..graph.ops import LAYERS, Kind
from ..plan.plan import Plan, Step
from ..recipes.presets import BETWEEN_LAYERS
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, RecipeRow, Selector
from ..rules.rule import Rule

FIRST, OTHERS = "first layer", "other layers"
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
        "alpha-beta": {"alpha": Span(1.01, 4.0)},
        "signal-takes-all": {"epsilon": Span(1e-4, 1.0)},
    }
)
_LAYER_RULES = ("zero", "epsilon", "gamma", "z-plus", "alpha-beta")
_FIRST_RULES = (AS_ITS_BLOCK, "flat", "w-squared")
_BETWEEN: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "average-pool": ("epsilon", "z-plus"),
        "softmax": ("taylor", "constant"),
        "attention": ("attnlrp", "cp-lrp"),
        "product": ("uniform", "constant-gate", "proportional"),
        "gate": ("constant-gate", "uniform", "proportional"),
        "normalisation": ("constant-statistics", "gradient"),
        "recurrent": ("signal-takes-all", "gradient"),
    }
)
_SUM_RULES = (UNCHANGED, "positive-sum", "absolute-sum")


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


def make_space(
    plan: Plan,
    *,
    blocks: int = 3,
    groups: Mapping[str, str] | None = None,
    bounds: tuple[Any, Any] | None = None,
) -> RecipeSpace:
    """Return the recipes to search for a model.

    Args:
        plan: The plan of the model by any recipe.
        blocks: Into how many blocks of equal depth the layers are divided, at most one for each.
        groups: Name of a group -> glob on the names of its modules, in place of blocks; layers of
            no group are one more.
        bounds: Lowest and highest value of the input; the rule z-box becomes a choice.

    Raises:
        InputError: A group has no layer.
    """
    if not isinstance(blocks, int) or isinstance(blocks, bool) or blocks < 1:
        raise InputError(f"blocks={blocks!r}", "a whole number > 0", "write blocks=3")
    layers = [step for step in plan.steps if step.kind in LAYERS and step.rule is not None]
    first_rules = (*_FIRST_RULES, "z-box") if bounds is not None else _FIRST_RULES
    dimensions = []
    if len(layers) > 1 and not set(plan.graph.explained) <= set(plan.graph.tokens):
        first = Selector(kinds=LAYERS, depth="first")
        dimensions.append(Dimension(FIRST, first, first_rules, layers[0].kind))
    dimensions += _by_group(layers, groups) if groups else _by_depth(layers, blocks)
    kinds = {step.kind for step in plan.steps if step.rule is not None}
    dimensions += [
        Dimension(kind, Selector(kinds=(kind,)), rules, kind)
        for kind, rules in _BETWEEN.items()
        if kind in kinds
    ]
    if any(is_sum(step) for step in plan.steps):
        dimensions.append(Dimension("sums", Selector(operation="add"), _SUM_RULES, None))
    _refuse_equal_names([one.name for one in dimensions])
    return RecipeSpace(tuple(dimensions), bounds)


def _refuse_equal_names(names: Sequence[str]) -> None:
    """Raise InputError for a group that is called like another part of the model."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        given = f"a group called {twice!r}, as another part of the model is"
        raise InputError(given, "another name", f'write groups={{"my {twice}": ...}}')


def is_sum(step: Step) -> bool:
    """Tell whether a step adds two values that depend on the input, as a residual block does."""
    return step.node.operation == "add" and len(step.routes) == 2


def _by_depth(layers: list[Step], blocks: int) -> list[Dimension]:
    """Divide layers into blocks of equal depth; the first row that matches decides.

    Linear layers that come after all convolutions, as the head of a convolutional network, are a
    part of their own, as they are to composites.
    """
    kinds = [step.kind for step in layers]
    divided = kinds.count("convolution")
    has_head = 1 < divided < len(kinds) and "linear" not in kinds[:divided]
    if not has_head:
        divided = len(layers)
    selected: tuple[Kind, ...] = ("convolution",) if has_head else LAYERS
    count = max(1, min(blocks, divided))
    ends = [f"< {i * divided / (count * len(layers)):.3f}" for i in range(1, count)]
    made = [
        _of_layers(f"block {i} of {count}", Selector(kinds=selected, depth=end), kinds)
        for i, end in enumerate([*ends, None], 1)
    ]
    head = _of_layers("linear layers", Selector(kinds=("linear",)), ["linear"])
    return [*made, head] if has_head else made


def _of_layers(name: str, selector: Selector, kinds: Sequence[Kind | None]) -> Dimension:
    """Return a part of layers, of these kinds."""
    return Dimension(name, selector, _LAYER_RULES, max(set(kinds), key=kinds.count))


def _by_group(layers: list[Step], groups: Mapping[str, str]) -> list[Dimension]:
    """Give each group of modules a rule, and one to all other layers."""
    names = [step.node.module for step in layers]

    def kinds_of(glob: str) -> list[Kind | None]:
        return [step.kind for step in layers if fnmatchcase(step.node.module, glob)]

    for group, glob in groups.items():
        if not kinds_of(glob):
            raise InputError(
                f"the group {group!r} of modules {glob!r}, none of which is a layer",
                f"globs on {', '.join(dict.fromkeys(names))}",
                f'write groups={{"{group}": "{names[0] if names else "*"}"}}',
            )
    made = [
        _of_layers(group, Selector(name=glob, kinds=LAYERS), kinds_of(glob))
        for group, glob in groups.items()
    ]
    left = [
        step.kind
        for step in layers
        if not any(fnmatchcase(step.node.module, glob) for glob in groups.values())
    ]
    return [*made, *([_of_layers(OTHERS, Selector(kinds=LAYERS), left)] if left else [])]
