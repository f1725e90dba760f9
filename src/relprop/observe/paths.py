"""Which paths of relevance pass the modules that conditions name, and which go around them.

A path leads backward from the output to an input. It is kept if there is no other that passes all
named modules that it passes, and a further one. So of modules in series all must be passed, and a
residual connection around one of them is left out; of modules in parallel branches each keeps the
paths through it. Takes a plan and names of values. Must not know tensors.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..plan.plan import Plan

Passed = frozenset[str]  # the named modules that relevance has passed on its way
NONE: Passed = frozenset()


@dataclass(frozen=True)
class Paths:
    """The paths that are kept.

    Attributes:
        modules: Value -> the named modules whose output it is.
        kept: Value, and the modules passed when it is reached, itself among them: relevance that
            arrives there so goes on.
    """

    modules: Mapping[str, Passed]
    kept: Collection[tuple[str, Passed]]

    def passed_at(self, name: str, before: Passed) -> Passed:
        """List the modules that relevance has passed once it has reached a value.

        Args:
            name: The value.
            before: The modules that it had passed when it left a consumer of the value.
        """
        return before | self.modules.get(name, NONE)

    def lead_on(self, name: str, before: Passed) -> bool:
        """Tell whether relevance that goes to a value is kept; arguments as for `passed_at`."""
        return (name, self.passed_at(name, before)) in self.kept


def find_paths(plan: Plan, outputs: Mapping[str, Sequence[str]]) -> Paths:
    """Find the paths that are kept.

    Args:
        plan: The plan of the model.
        outputs: Named module -> its output values, of all its calls. A module is passed where one
            of them is.
    """
    modules = defaultdict[str, Passed](frozenset)
    for module, names in outputs.items():
        for name in names:
            modules[name] |= {module}
    arriving = _arriving(plan, modules)
    at_inputs = {(name, passed) for name in plan.sources for passed in arriving[name]}
    complete = _not_exceeded({passed for _, passed in at_inputs}, NONE)
    kept = {(name, passed) for name, passed in at_inputs if passed in complete}
    for step in plan.steps:  # from the inputs to the output
        for passed in arriving[step.name]:
            onward = ((route, passed | modules[route]) for route in step.routes)
            if any(place in kept for place in onward):
                kept.add((step.name, passed))
    return Paths(dict(modules), frozenset(kept))


def _arriving(plan: Plan, modules: Mapping[str, Passed]) -> Mapping[str, set[Passed]]:
    """List, for each value, what relevance may have passed once it has reached it.

    Leaves out what is known to be exceeded, without which the list could double at each module.
    """
    below = _below(plan, modules)
    arriving = defaultdict[str, set[Passed]](set)
    arriving[plan.graph.scores].add(modules[plan.graph.scores])
    for step in reversed(plan.steps):
        arriving[step.name] = _not_exceeded(arriving[step.name], below[step.name])
        for route in step.routes:
            arriving[route] |= {passed | modules[route] for passed in arriving[step.name]}
    return arriving


def _below(plan: Plan, modules: Mapping[str, Passed]) -> Mapping[str, Passed]:
    """List the named modules that relevance may still come to after a value."""
    below = defaultdict[str, Passed](frozenset)
    for step in plan.steps:
        below[step.name] = NONE.union(*(below[route] | modules[route] for route in step.routes))
    return below


def _not_exceeded(several: set[Passed], below: Passed) -> set[Passed]:
    """Leave out sets that a larger one contains, with some module that is not further below."""
    return {a for a in several if not any(a < b and not b - a <= below for b in several)}
