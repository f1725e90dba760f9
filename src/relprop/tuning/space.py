"""The recipes that a search chooses from: a rule for each part of a model, and its parameters.

Takes the plan of a model. Gives dimensions that can be printed, and recipes. Must not know
samples, scores or Optuna.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import InputError
from ..graph.ops import LAYERS, Kind
from ..plan.plan import Plan, Step
from ..recipes.presets import BETWEEN_LAYERS
from ..recipes.recipe import Recipe
from ..recipes.selectors import RecipeRow, Selector
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
        "gamma-by-sign": {"positive": Span(0.01, 10.0), "negative": Span(0.01, 10.0)},
        "alpha-beta": {"alpha": Span(1.01, 4.0)},
        "signal-takes-all": {"epsilon": Span(1e-4, 1.0)},
    }
)
_LAYER_RULES = ("zero", "epsilon", "gamma", "z-plus", "alpha-beta")
_BY_SIGN = "gamma-by-sign"  # of layers whose outputs are of either sign, else it is gamma
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
_POSITION_RULES = (UNCHANGED, "position-to-token")


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
    """

    name: str
    selector: Selector
    rules: tuple[str, ...]


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
                key: chooser.suggest_float(f"{one.name}: {key} of {name}", s.low, s.high, log=True)
                for key, s in PARAMETERS.get(name, {}).items()
            }
            rows.append(RecipeRow(one.selector, self._rule(name, values)))
        return Recipe("tuned", (*rows, *self.fixed))

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
        dimensions.append(Dimension(FIRST, first, first_rules))
    # What is explained is nearly always > 0; before a ReLU, relevance arrives where z > 0 alone.
    signed = not all(step.rectified for step in layers[:-1])
    rules = (*_LAYER_RULES, _BY_SIGN) if signed else _LAYER_RULES
    dimensions += _by_group(layers, groups, rules) if groups else _by_depth(layers, blocks, rules)
    kinds = {step.kind for step in plan.steps if step.rule is not None}
    dimensions += [
        Dimension(kind, Selector(kinds=(kind,)), rules)
        for kind, rules in _BETWEEN.items()
        if kind in kinds
    ]
    positions = find_positions(plan)
    if positions is not None:  # before all sums: of two rows that match, the first decides
        selector = Selector(name=positions.node.module, operation="add")
        dimensions.append(Dimension("positions", selector, _POSITION_RULES))
    if any(is_sum(step) for step in plan.steps):
        dimensions.append(Dimension("sums", Selector(operation="add"), _SUM_RULES))
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


def find_positions(plan: Plan) -> Step | None:
    """Return the sum of tokens and their positions: the first with a constant before attention.

    Args:
        plan: The plan of the model by any recipe.
    """
    attends = any(step.kind in ("attention", "softmax") for step in plan.steps)
    for step in plan.steps if attends else ():
        if step.kind in ("attention", "softmax", "normalisation"):
            return None
        node = step.node
        constants = set(node.inputs) - set(step.routes)
        if node.operation == "add" and len(step.routes) == 1 and constants and len(node.shape) == 3:
            return step
    return None


def _by_depth(layers: list[Step], blocks: int, rules: tuple[str, ...]) -> list[Dimension]:
    """Divide layers into blocks of equal depth; the first row that matches decides."""
    count = max(1, min(blocks, len(layers)))
    ends = [f"< {i / count:.3f}" for i in range(1, count)]
    return [
        Dimension(f"block {i} of {count}", Selector(kinds=LAYERS, depth=end), rules)
        for i, end in enumerate([*ends, None], 1)
    ]


def _by_group(
    layers: list[Step], groups: Mapping[str, str], rules: tuple[str, ...]
) -> list[Dimension]:
    """Give each group of modules a rule, and one to all other layers."""
    names = [step.node.module for step in layers]
    for group, glob in groups.items():
        if not any(fnmatchcase(name, glob) for name in names):
            raise InputError(
                f"the group {group!r} of modules {glob!r}, none of which is a layer",
                f"globs on {', '.join(dict.fromkeys(names))}",
                f'write groups={{"{group}": "{names[0] if names else "*"}"}}',
            )
    made = [
        Dimension(group, Selector(name=glob, kinds=LAYERS), rules) for group, glob in groups.items()
    ]
    left = [n for n in names if not any(fnmatchcase(n, glob) for glob in groups.values())]
    return [*made, *([Dimension(OTHERS, Selector(kinds=LAYERS), rules)] if left else [])]
