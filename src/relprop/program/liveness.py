"""Facts about each step that are computed once per plan: last uses, aliases of the output, buffers.

Takes a plan, gives its steps in order with the functions that run them. Must not run anything.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ..graph.ops import LAYERS, WEIGHTED_SUMS
from ..plan.plan import Plan, Step
from ..rules.backward import Form
from .lower_layers import Run
from .lowering import lower
from .weight_cache import WeightCache


class ScheduledStep(NamedTuple):
    """A step, and what does not change from run to run.

    Attributes:
        step: The step of the plan.
        run: Runs its operation, and returns its backward pass, or None if no relevance arrives.
        last_used: Values that no later step uses, without those that must be kept.
        aliases_output: The output may share memory with its value.
        overwrites: Its backward pass may overwrite what arrives, or what it gave the time before.
        gives_own: Its backward pass gives a tensor that nobody else holds.
    """

    step: Step
    run: Run
    last_used: Sequence[str]
    aliases_output: bool
    overwrites: bool
    gives_own: bool


def schedule(plan: Plan, weights: WeightCache) -> list[ScheduledStep]:
    """Lower all steps of a plan, in order."""
    last_used, aliases, overwriting = _last_uses(plan), _output_aliases(plan), _overwriting(plan)
    return [
        ScheduledStep(
            step,
            lower(step, weights),
            last_used[step.name],
            aliases_output=step.name in aliases,
            overwrites=step.name in overwriting,
            gives_own=_gives_own(step),
        )
        for step in plan.steps
    ]


def _output_aliases(plan: Plan) -> frozenset[str]:
    """Find the values that the output may share memory with: back to the last weighted sums."""
    aliases = {plan.graph.output}
    for step in reversed(plan.steps):
        if step.name in aliases and step.kind not in WEIGHTED_SUMS:
            aliases.update(step.reads)
    return frozenset(aliases)


def _overwriting(plan: Plan) -> frozenset[str]:
    """Find the steps whose backward pass may overwrite what arrives, or what it gave before.

    These are weighted sums that receive from one weighted sum or max pool alone, and such max
    pools: nobody else holds the tensor that is passed between the two.
    """
    givers: dict[str, list[Step]] = defaultdict(list)
    for step in plan.steps:
        for name in step.routes:
            givers[name].append(step)
    names = set()
    for step in plan.steps:
        if _is_built_in_sum(step) and len(givers[step.name]) == 1:  # the output's is the caller's
            (giver,) = givers[step.name]
            if _gives_own(giver):
                names.add(step.name)
            if giver.node.operation == "max_pool2d":
                names |= {step.name, giver.name}
    return frozenset(names)


def _gives_own(step: Step) -> bool:
    """Tell whether a step's backward pass gives a tensor that nobody else holds."""
    return _is_built_in_sum(step) and step.kind in LAYERS and step.leaving is Form.GRADIENT


def _is_built_in_sum(step: Step) -> bool:
    """Tell whether it is a weighted sum by a built-in rule, which keeps nothing that arrives."""
    return step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None


def _needed_in_backward(plan: Plan) -> frozenset[str]:
    """Find the values where relevance is taken, or at which it arrives in both forms."""
    forms: dict[str, set[Form]] = defaultdict(set)
    forms[plan.graph.output].add(Form.GRADIENT)
    for step in plan.steps:
        for name in step.routes:
            forms[name].add(step.leaving or Form.GRADIENT)
    return frozenset(plan.sources) | {name for name, both in forms.items() if len(both) > 1}


def _last_uses(plan: Plan) -> dict[str, list[str]]:
    """Map each step to the values that no later step uses, without those that must be kept."""
    needed, last = _needed_in_backward(plan), dict[str, str]()
    for step in plan.steps:
        last.update(dict.fromkeys((*step.reads, step.name), step.name))
    for name in (*plan.graph.state, *plan.graph.constants, plan.graph.output):
        last.pop(name, None)
    uses: dict[str, list[str]] = {step.name: [] for step in plan.steps}
    for name, step_name in last.items():
        if name not in needed:
            uses[step_name].append(name)
    return uses
