"""The parts of a model that a search chooses rules for, and which rules each may have.

Takes the plan of a model. Gives a `RecipeSpace`. Must not know samples, scores or Optuna.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from ..errors import InputError
from ..graph.ops import LAYERS, Kind
from ..plan.plan import Plan, Step
from ..recipes.selectors import Selector
from .space import AS_ITS_BLOCK, FIRST, UNCHANGED, Dimension, RecipeSpace

OTHERS = "other layers"
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
    # What is explained is nearly always > 0; before a ReLU, relevance arrives where z > 0 alone.
    signed = not all(step.rectified for step in layers[:-1])
    rules = (*_LAYER_RULES, _BY_SIGN) if signed else _LAYER_RULES
    dimensions += _by_group(layers, groups, rules) if groups else _by_depth(layers, blocks, rules)
    kinds = {step.kind for step in plan.steps if step.rule is not None}
    dimensions += [
        Dimension(kind, Selector(kinds=(kind,)), rules, kind)
        for kind, rules in _BETWEEN.items()
        if kind in kinds
    ]
    positions = find_positions(plan)
    if positions is not None:  # before all sums: of two rows that match, the first decides
        selector = Selector(name=positions.node.module, operation="add")
        dimensions.append(Dimension("positions", selector, _POSITION_RULES, None))
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
        _of_layers(f"block {i} of {count}", Selector(kinds=selected, depth=end), rules, kinds)
        for i, end in enumerate([*ends, None], 1)
    ]
    head = _of_layers("linear layers", Selector(kinds=("linear",)), rules, ["linear"])
    return [*made, head] if has_head else made


def _of_layers(
    name: str, selector: Selector, rules: tuple[str, ...], kinds: Sequence[Kind | None]
) -> Dimension:
    """Return a part of layers, of these kinds."""
    return Dimension(name, selector, rules, max(set(kinds), key=kinds.count))


def _by_group(
    layers: list[Step], groups: Mapping[str, str], rules: tuple[str, ...]
) -> list[Dimension]:
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
        _of_layers(group, Selector(name=glob, kinds=LAYERS), rules, kinds_of(glob))
        for group, glob in groups.items()
    ]
    left = [
        step.kind
        for step in layers
        if not any(fnmatchcase(step.node.module, glob) for glob in groups.values())
    ]
    return [*made, *([_of_layers(OTHERS, Selector(kinds=LAYERS), rules, left)] if left else [])]
