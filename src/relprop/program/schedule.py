"""Lowers every step of a plan, and notes what may be freed or overwritten after it.

Takes a plan, gives its steps in order with the functions that run them. Must not run anything.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..graph.ops import LAYERS, WEIGHTED_SUMS
from ..plan.plan import Plan, Step
from ..rules.backward import Form
from .lower_layers import Run
from .lowering import lower, lower_recurrent_module, runs_cells
from .weight_cache import WeightCache


class ScheduledStep(NamedTuple):
    """A step, and what does not change from run to run.

    Attributes:
        step: The step of the plan.
        name: Its name.
        run: Runs its operation, and returns its backward pass, or None if no relevance arrives.
        last_used: Values that no later step uses, without those that must be kept.
        aliases_output: The output may share memory with its value.
        overwrites: Its backward pass may overwrite what arrives, or what it gave the time before.
        gives_own: Its backward pass gives a tensor that nobody else holds.
    """

    step: Step
    name: str
    run: Run
    last_used: Sequence[str]
    aliases_output: bool
    overwrites: bool
    gives_own: bool


def schedule(plan: Plan, weights: WeightCache) -> list[ScheduledStep]:
    """Lower all steps of a plan, in order."""
    aliases, overwriting, shared = _output_aliases(plan), _overwriting(plan), _shared_layers(plan)
    last_used = _last_uses(plan, shared)
    scheduled: list[ScheduledStep] = []
    for step in plan.steps:
        layers = shared.get(step.name)
        if layers and all(earlier.step.name != layers for earlier in scheduled):
            scheduled.append(_schedule_layers(step, layers))
        scheduled.append(
            ScheduledStep(
                step,
                step.name,
                lower(step, weights, layers),
                last_used[step.name],
                aliases_output=step.name in aliases,
                overwrites=step.name in overwriting,
                gives_own=_gives_own(step),
            )
        )
    return scheduled


def _shared_layers(plan: Plan) -> dict[str, str]:
    """Map the steps that use results of one recurrent module to the value that holds its layers.

    torch.export has one operation with several results, each of which is a step of the plan.
    """
    steps: dict[Any, list[Step]] = defaultdict(list)
    for step in plan.steps:
        if runs_cells(step):
            steps[step.node.operation, step.node.inputs, step.node.module, step.node.call].append(
                step
            )
    return {
        step.name: f"{same[0].name}.layers"
        for same in steps.values()
        for step in same
        if len(same) > 1 and step.node.args == same[0].node.args
    }


def _schedule_layers(step: Step, name: str) -> ScheduledStep:
    """Schedule the run of a recurrent module before the first step that uses it."""
    layers = replace(step, node=replace(step.node, name=name), rule=None, arriving=None, routes=())
    return ScheduledStep(layers, name, lower_recurrent_module(step), (), False, False, False)


def _output_aliases(plan: Plan) -> frozenset[str]:
    """Find the values that the output may share memory with: back to the last weighted sums."""
    aliases = {plan.graph.output, plan.graph.scores}
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
        if (
            _is_built_in_sum(step) and len(givers[step.name]) == 1
        ):  # what arrives at the output is the caller's
            (giver,) = givers[step.name]
            if _gives_own(giver):
                names.add(step.name)
            if giver.node.operation == "max_pool2d":
                names |= {step.name, giver.name}
    return frozenset(names)


def _gives_own(step: Step) -> bool:
    """Tell whether a step's backward pass gives a tensor that nobody else holds."""
    return _is_built_in_sum(step) and step.kind in LAYERS and step.leaving is Form.PER_UNIT


def _is_built_in_sum(step: Step) -> bool:
    """Tell whether it is a weighted sum by a built-in rule, which keeps nothing that arrives."""
    return step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None


def _needed_in_backward(plan: Plan) -> frozenset[str]:
    """Find the values where relevance is taken, or at which it arrives in both forms."""
    forms: dict[str, set[Form]] = defaultdict(set)
    forms[plan.graph.scores].add(Form.PER_UNIT)
    for step in plan.steps:
        for name in step.routes:
            forms[name].add(step.leaving or Form.PER_UNIT)
    return frozenset(plan.sources) | {name for name, both in forms.items() if len(both) > 1}


def _last_uses(plan: Plan, shared: Mapping[str, str]) -> dict[str, list[str]]:
    """Map each step to the values that no later step uses, without those that must be kept.

    Args:
        plan: The plan.
        shared: Step -> a further value that it uses.
    """
    needed, last = _needed_in_backward(plan), dict[str, str]()
    for step in plan.steps:
        uses_now = (*step.reads, step.name, *([shared[step.name]] if step.name in shared else []))
        last.update(dict.fromkeys(uses_now, step.name))
    results = (plan.graph.output, plan.graph.scores)
    for name in (*plan.graph.state, *plan.graph.constants, *results):
        last.pop(name, None)
    uses: dict[str, list[str]] = {step.name: [] for step in plan.steps}
    for name, step_name in last.items():
        if name not in needed:
            uses[step_name].append(name)
    return uses
