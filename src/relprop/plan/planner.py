"""Planning: a Graph and a Recipe -> a Plan, or an error that names what has no rule.

Decides everything that can be decided without a tensor: walks the graph forward for what is known
of each value, and back from the output for what relevance reaches, in which form and by which rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import PlanError
from ..graph.analysis import GraphAnalysis, analyse_graph, dependent_args, dependent_inputs
from ..graph.ir import Graph, Node
from ..graph.ops import LAYERS, WEIGHTED_SUMS, Principle, operation_of
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, RecipeRow
from ..rules.backward import Form
from . import validation as refusals
from .plan import Plan, Step


def make_plan(graph: Graph, recipe: Recipe) -> Plan:
    """Decide for every operation of `graph` what happens to relevance there.

    Raises PlanError for an operation without a rule, a rule that does not fit, a row that fits
    nothing, a softmax at the end, and a result that does not depend on the input.
    """
    analysis = analyse_graph(graph)
    recipe = recipe.resolved(set(analysis.kinds.values()))
    places = {node.name: _place(node, analysis) for node in graph.nodes}
    open_ = [
        n for n in graph.nodes if n.name in analysis.dependent and n.name not in analysis.folded
    ]
    refusals.refuse_unfit_rows(open_, recipe, places)
    refusals.refuse_constant_output(graph, analysis)
    refusals.refuse_final_softmax(graph, recipe, analysis, places)
    held = _held(open_, recipe, places)
    analysis = analyse_graph(graph, held) if held else analysis
    steps, forms = _walk_back(graph, recipe, analysis, held)
    return Plan(graph, recipe, tuple(_with_activations(steps)), analysis.sources, forms)


def _place(node: Node, analysis: GraphAnalysis) -> Location:
    return Location(
        module=node.module,
        type=node.type,
        operation=node.operation,
        kind=analysis.kinds.get(node.name),
        depth=analysis.depth[node.name],
        first=node.name in analysis.first_layers,
        last=node.name in analysis.last_layers,
        gated=node.name in analysis.constant_factor,
    )


def _row(place: Location, recipe: Recipe) -> RecipeRow | None:
    return next((row for row in recipe.rows if row.matches(place)), None)


def _held(nodes: Iterable[Node], recipe: Recipe, places: dict[str, Location]) -> frozenset[str]:
    rows = {node.name: _row(places[node.name], recipe) for node in nodes}
    return frozenset(n for n, row in rows.items() if row and row.rule.definition.receives == "none")


@dataclass(frozen=True)
class Arrival:
    """How relevance arrives at a value: its form, and whether only where the value is > 0."""

    form: Form
    only_positive: bool


def _meet(arrivals: list[Arrival]) -> Arrival:
    if any(arrival.form is Form.RELEVANCE for arrival in arrivals):
        return Arrival(Form.RELEVANCE, False)
    return Arrival(Form.GRADIENT, all(arrival.only_positive for arrival in arrivals))


def _walk_back(
    graph: Graph, recipe: Recipe, analysis: GraphAnalysis, held: frozenset[str]
) -> tuple[list[Step], dict[str, Form]]:
    """From the output: what relevance reaches, and the form in which it arrives and leaves."""
    arrivals: dict[str, list[Arrival]] = {graph.output: [Arrival(Form.GRADIENT, False)]}
    steps: list[Step] = []
    for node in reversed(graph.nodes):
        if node.name in analysis.folded:
            continue
        name = analysis.folds.get(node.name, node).name
        if name not in analysis.dependent or name not in arrivals or node.name in analysis.sources:
            steps.append(_unreached(node, analysis, held))
            continue
        step = _with_arrival(
            _decide(node, recipe, analysis, graph.any_batch), _meet(arrivals[name])
        )
        for route in step.routes:
            arrivals.setdefault(route, []).append(_leaving(step))
        steps.append(step)
    _refuse_unreached(graph, analysis, arrivals)
    return steps[::-1], {name: _meet(found).form for name, found in arrivals.items()}


def _unreached(node: Node, analysis: GraphAnalysis, held: frozenset[str]) -> Step:
    """A step that no relevance passes; a layer is still run as a layer."""
    alone = len(dependent_inputs(node, analysis.dependent)) == 1 and not node.kwargs
    kind = analysis.kinds.get(node.name) if alone else None
    return Step(
        node=node,
        principle=None,
        operation=None,
        rule=None,
        why=_why_not(node, analysis, held),
        kind=kind if kind in LAYERS else None,
        places=dependent_args(node, analysis.dependent),
        batch_norm=analysis.folds.get(node.name),
    )


def _why_not(node: Node, analysis: GraphAnalysis, held: frozenset[str]) -> str:
    if node.name in analysis.sources:
        return "relevance is taken here"
    if node.name in held:
        return "held constant by the recipe"
    if node.name in analysis.dependent:
        return "no relevance arrives"
    return "does not depend on the input"


def _refuse_unreached(
    graph: Graph, analysis: GraphAnalysis, arrivals: dict[str, list[Arrival]]
) -> None:
    for name in graph.explained:
        if not any(source in arrivals for source, at in analysis.sources.items() if at == name):
            labels = {value: label for label, value in graph.inputs.items()}
            raise PlanError(
                f'no relevance would reach the input "{labels[name]}"',
                "an input that the output is computed from, by operations that pass relevance",
                "print the plan for another input, or of a recipe that holds less constant",
            )


def _decide(node: Node, recipe: Recipe, analysis: GraphAnalysis, any_batch: bool) -> Step:
    if any_batch:
        refusals.refuse_mixed_samples(node)
    operation, kind = operation_of(node), analysis.kinds.get(node.name)
    row = _row(_place(node, analysis), recipe)
    inside = dependent_inputs(node, analysis.dependent)
    if row is None:
        refusals.refuse_unruled(node, operation, analysis, recipe)
    if operation is not None and (row is None or kind is not None):
        refusals.refuse_unfit_arguments(node, operation, analysis) if kind else None
        refusals.refuse_projection(node)
        refusals.refuse_relative(node, row.rule if row else None)
    step = Step(
        node=node,
        principle=operation.principle if operation and row is None else Principle.RULE,
        operation=operation,
        rule=row.rule if row else None,
        why=str(row.selector) if row else "",
        kind=kind,
        routes=inside,
        batch_norm=analysis.folds.get(node.name),
        elementwise=operation is not None and operation.elementwise and len(inside) == 1,
        nonnegative=analysis.nonnegative.issuperset(inside),
    )
    return _with_places(step, analysis) if row and kind else _without_rule(step)


def _without_rule(step: Step) -> Step:
    """A product with one factor that depends on the input is a combination."""
    if step.rule is not None:
        return step
    principle = step.principle
    principle = Principle.LINEAR if principle is Principle.RULE else principle
    assert principle is not None
    return replace(step, principle=principle, why=principle.value)


def _with_places(step: Step, analysis: GraphAnalysis) -> Step:
    """Which arguments receive relevance: all, or the signal alone."""
    assert step.rule is not None
    places = dependent_args(step.node, analysis.dependent)
    if step.rule.definition.receives == "signal":
        constant = analysis.constant_factor.get(step.node.name)
        places = (2,) if step.kind == "attention" else tuple(i for i in places if i != constant)
    routes = tuple(step.node.args[i].name for i in places)
    alone = step.operation is not None and step.operation.elementwise and len(places) == 1
    return replace(step, places=places, routes=routes, elementwise=alone)


def _with_arrival(step: Step, arrival: Arrival) -> Step:
    return replace(
        step,
        arriving=arrival.form,
        rectified=arrival.only_positive,
        leaving=_leaving_form(step, arrival.form),
    )


def _leaving_form(step: Step, arriving: Form) -> Form:
    if step.kind in WEIGHTED_SUMS and step.rule:
        return step.rule.definition.gives
    if step.rule is not None:
        passes = step.elementwise and step.rule.definition.receives == "signal"
        return arriving if passes else Form.GRADIENT
    if step.principle is Principle.ACTIVATION:
        keeps_zero = step.operation is not None and step.operation.keeps_zero
        return arriving if keeps_zero else Form.RELEVANCE
    if step.principle is Principle.LINEAR:
        return arriving if step.elementwise else Form.GRADIENT
    return arriving


def _leaving(step: Step) -> Arrival:
    gradient = step.arriving is Form.GRADIENT
    rectifies = step.operation is not None and step.operation.rectifies and gradient
    copies = step.principle in (Principle.SELECTION, Principle.CHOICE) and step.rectified
    return Arrival(step.leaving or Form.GRADIENT, bool(rectifies or copies))


def _with_activations(steps: list[Step]) -> list[Step]:
    """Run a weighted sum and the activation after it as one step: one factor serves for both."""
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.reads:
            readers.setdefault(name, []).append(step)
    joined = {step.name: _activation_after(step, readers.get(step.name, [])) for step in steps}
    gone = {after.name for after in joined.values() if after}
    return [_join(step, joined[step.name]) for step in steps if step.name not in gone]


def _join(step: Step, after: Step | None) -> Step:
    return replace(step, activation=after.node, arriving=after.arriving) if after else step


def _activation_after(step: Step, readers: list[Step]) -> Step | None:
    weighs = step.kind in WEIGHTED_SUMS and step.rule is not None and step.rule.own is None
    if not weighs or len(readers) != 1:
        return None
    after = readers[0]
    passes = after.principle is Principle.ACTIVATION and after.routes == (step.name,)
    keeps_zero = after.operation is not None and after.operation.keeps_zero
    return after if passes and keeps_zero and after.arriving is Form.GRADIENT else None
