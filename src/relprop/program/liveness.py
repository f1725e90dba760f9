"""Steps made ready: with all that a run of a plan need not find out anew."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ..graph.ops import LAYERS, WEIGHTED_SUMS
from ..plan.plan import Plan, Step
from ..rules.backward import Form
from .lowering import Run, lower
from .weight_cache import KeptWeights


class Ready(NamedTuple):
    """A step, and what does not change from run to run.

    run         its operation; and its way back, None if no relevance arrives
    last_used   values that no later step uses, but for what is kept and what the model holds
    given_out   the output may share memory with its value
    overwrites  its way back may write into what arrives, or twice into what leaves
    own         what leaves is a tensor that nobody else has
    """

    step: Step
    run: Run
    last_used: Sequence[str]
    given_out: bool
    overwrites: bool
    own: bool


def make_ready(plan: Plan, weights: KeptWeights) -> list[Ready]:
    """All steps of a plan, in order."""
    last_used, given_out, overwrite = _last_uses(plan), _given_out(plan), _overwrite(plan)
    return [
        Ready(
            step,
            lower(step, weights),
            last_used[step.name],
            given_out=step.name in given_out,
            overwrites=step.name in overwrite,
            own=_gives_its_own(step),
        )
        for step in plan.steps
    ]


def _given_out(plan: Plan) -> frozenset[str]:
    """Values that the output may share memory with: those before it, up to a weighted sum."""
    found = {plan.graph.output}
    for step in reversed(plan.steps):
        if step.name in found and step.kind not in WEIGHTED_SUMS:
            found.update(step.reads)
    return frozenset(found)


def _overwrite(plan: Plan) -> frozenset[str]:
    """Steps whose way back may write into what arrives, or twice into what leaves.

    Weighted sums that take what another one gives, or a pool; and such pools. Nobody else has it.
    """
    givers: dict[str, list[Step]] = defaultdict(list)
    for step in plan.steps:
        for name in step.routes:
            givers[name].append(step)
    found = set()
    for step in plan.steps:
        if _is_known_sum(step) and len(givers[step.name]) == 1:  # the output's is who asks
            (giver,) = givers[step.name]
            found |= {step.name} if _gives_its_own(giver) else set()
            found |= {step.name, giver.name} if giver.node.operation == "max_pool2d" else set()
    return frozenset(found)


def _gives_its_own(step: Step) -> bool:
    """Whether what leaves is a tensor that nobody else has."""
    return _is_known_sum(step) and step.kind in LAYERS and step.leaving is Form.GRADIENT


def _is_known_sum(step: Step) -> bool:
    """Whether it is a weighted sum by a rule of ours, which keeps nothing that arrives."""
    return step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None


def _needed_on_the_way_back(plan: Plan) -> frozenset[str]:
    """Values where relevance is taken, or at which it arrives in both forms."""
    forms: dict[str, set[Form]] = defaultdict(set)
    forms[plan.graph.output].add(Form.GRADIENT)
    for step in plan.steps:
        for name in step.routes:
            forms[name].add(step.leaving or Form.GRADIENT)
    return frozenset(plan.sources) | {name for name, found in forms.items() if len(found) > 1}


def _last_uses(plan: Plan) -> dict[str, list[str]]:
    """Step -> the values that no later step uses, but for what is kept and what the model holds."""
    kept, last = _needed_on_the_way_back(plan), dict[str, str]()
    for step in plan.steps:
        last.update(dict.fromkeys((*step.reads, step.name), step.name))
    for name in (*plan.graph.state, *plan.graph.constants, plan.graph.output):
        last.pop(name, None)
    uses: dict[str, list[str]] = {step.name: [] for step in plan.steps}
    for name, step_name in last.items():
        if name not in kept:
            uses[step_name].append(name)
    return uses
