"""The planner: a graph and a recipe -> a plan, or an error that names what has no rule.

Takes no tensor: all is decided before anything runs. Analyses the graph forward for what is known
of each value, then goes through it backward from the output, for where relevance arrives, in which
form, and by which rule it passes. Must not know how a step is computed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import PlanError
from ..graph.analysis import GraphAnalysis, analyse_graph, dependent_args, dependent_inputs
from ..graph.dropped import dropped_paths
from ..graph.ir import Graph, Node
from ..graph.ops import (
    LAYERS,
    STEPS,
    WEIGHTED_SUMS,
    Kind,
    Operation,
    Principle,
    has_zero_gradient,
    operation_of,
)
from ..graph.unread_softmax import find_unread_softmaxes
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, RecipeRow
from ..rules.backward import Form
from . import validation
from .comparisons import with_numbers
from .forms import Arrival, merged, passed_on, with_arrival
from .head import HeadPlanner
from .merge_activations import merge_activations
from .plan import AFTER_SCORES, Plan, Step

ZERO_GRADIENT = "its gradient is zero"


def make_plan(graph: Graph, recipe: Recipe) -> Plan:
    """Decide what happens to relevance at every operation of a graph.

    Args:
        graph: The model's operations.
        recipe: Gives the rules; "auto" chooses its preset by the kinds of operations in the graph.

    Raises:
        PlanError: An operation without a rule, a rule that does not fit its operation, a row of
            the recipe that applies to nothing, a function that squashes the output, or an output
            or input that no relevance can connect.
    """
    graph = _with_numbers(graph, recipe)
    analysis = analyse_graph(graph)
    has_tokens = set(graph.explained) <= set(graph.tokens)
    recipe = recipe.resolved(set(analysis.kinds.values()), has_tokens=has_tokens)
    locations = {node.name: _locate(node, analysis) for node in graph.nodes}
    folded = analysis.folded
    dependent = [n for n in graph.nodes if n.name in analysis.dependent and n.name not in folded]
    ends = [node for node in graph.nodes if _ends(node, analysis.dependent)]
    validation.refuse_unmatched_rows(dependent, ends, recipe, locations)
    held = _held_constant([*dependent, *ends], recipe, analysis, locations)
    validation.refuse_constant_output(graph, analysis, frozenset(held), recipe)
    if graph.head is None:
        graph = HeadPlanner(recipe, analysis, locations).decide(graph)
        analysis = analyse_graph(graph)
    if held:  # what is computed from constants alone is constant, too, and may need no rule
        analysis = analyse_graph(graph, frozenset(held))
    steps, forms = _plan_backward(graph, recipe, analysis, held)
    dropped = dropped_paths(graph, analysis.dependent, forms, frozenset(held))
    unread = [
        node for node in find_unread_softmaxes(graph, analysis.dependent) if node.name in forms
    ]
    unread = [node for node in unread if not _is_named(locations[node.name], recipe)]
    steps = merge_activations(steps)
    return Plan(graph, recipe, tuple(steps), analysis.sources, forms, dropped, tuple(unread))


def _with_numbers(graph: Graph, recipe: Recipe) -> Graph:
    """Let the comparisons that a row of the recipe gives a rule of their own give numbers."""
    rows = [row for row in recipe.rows if row.rule.definition.operations]
    if not rows:
        return graph
    analysis = analyse_graph(graph)
    locations = ((node.name, _locate(node, analysis)) for node in graph.nodes)
    return with_numbers(graph, {n for n, at in locations if any(row.matches(at) for row in rows)})


def _ends(node: Node, dependent: set[str]) -> bool:
    """Tell whether the dependence on the input ends here, as at a comparison."""
    return not node.floating and bool(dependent_inputs(node, dependent))


def _locate(node: Node, analysis: GraphAnalysis) -> Location:
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


def _first_match(location: Location, recipe: Recipe) -> RecipeRow | None:
    return next((row for row in recipe.rows if row.matches(location)), None)


def _is_named(location: Location, recipe: Recipe) -> bool:
    """Tell whether a row of the recipe names an operation or its module."""
    return any(row.selector.is_explicit and row.matches(location) for row in recipe.rows)


def _held_constant(
    nodes: Iterable[Node],
    recipe: Recipe,
    analysis: GraphAnalysis,
    locations: dict[str, Location],
) -> dict[str, str]:
    """Map the values that the recipe holds constant to why they are constant."""
    held: dict[str, str] = {}
    for node in nodes:
        row = _first_match(locations[node.name], recipe)
        if row and row.rule.definition.receives == "none":
            held[node.name] = "held constant by the recipe"
        places = dependent_args(node, analysis.dependent)
        if _takes_gradient(row) and has_zero_gradient(node, places):
            held[node.name] = ZERO_GRADIENT
    return held


def _takes_gradient(row: RecipeRow | None) -> bool:
    return row is not None and row.rule.own is None and row.rule.name == "gradient"


def _plan_backward(
    graph: Graph, recipe: Recipe, analysis: GraphAnalysis, held: Mapping[str, str]
) -> tuple[list[Step], dict[str, Form]]:
    """Plan from the output to the inputs: the steps, and the form that arrives at each value."""
    before_scores = {node.name for node in graph.nodes_to_compute(graph.scores, ())}
    arrivals: dict[str, list[Arrival]] = {graph.scores: [Arrival(Form.PER_UNIT, False)]}
    steps: list[Step] = []
    for node in reversed(graph.nodes):
        if node.name in analysis.folded:
            continue
        name = analysis.folds.get(node.name, node).name
        reached = name in analysis.dependent and name in arrivals
        if not reached or node.name in analysis.sources:
            late = node.name not in before_scores and node.name in analysis.dependent
            why = AFTER_SCORES if late else _why_no_relevance(node, analysis, held)
            steps.append(_step_without_relevance(node, analysis, why))
            continue
        step = _plan_step(node, recipe, analysis, graph)
        step = with_arrival(step, merged(arrivals[name]))
        for route in step.routes:
            arrivals.setdefault(route, []).append(passed_on(step))
        steps.append(step)
    _refuse_unreached_inputs(graph, recipe, analysis, arrivals, held)
    return steps[::-1], {name: merged(several).form for name, several in arrivals.items()}


def _step_without_relevance(node: Node, analysis: GraphAnalysis, why: str) -> Step:
    """Plan a step that only runs forward; a layer runs as one, with its BatchNorm folded in."""
    alone = len(dependent_inputs(node, analysis.dependent)) == 1 and not node.kwargs
    kind = analysis.kinds.get(node.name) if alone else None
    return Step(
        node=node,
        principle=None,
        operation=None,
        rule=None,
        why=why,
        kind=kind if kind in LAYERS else None,
        places=dependent_args(node, analysis.dependent),
        batch_norm=analysis.folds.get(node.name),
    )


def _why_no_relevance(node: Node, analysis: GraphAnalysis, held: Mapping[str, str]) -> str:
    if node.name in analysis.sources:
        return "explained: relevance is read off here"
    if node.name in held:
        return held[node.name]
    if node.held:
        return "held constant, as part of a softmax"
    if node.name in analysis.dependent:
        return "no relevance arrives"
    return "does not depend on the input"


def _refuse_unreached_inputs(
    graph: Graph,
    recipe: Recipe,
    analysis: GraphAnalysis,
    arrivals: dict[str, list[Arrival]],
    held: Mapping[str, str],
) -> None:
    for name in graph.explained:
        if not any(value in arrivals for value, at in analysis.sources.items() if at == name):
            for node in graph.nodes:
                if held.get(node.name) == ZERO_GRADIENT:
                    validation.refuse_zero_gradient(node, recipe)
            labels = {value: label for label, value in graph.inputs.items()}
            raise PlanError(
                f'no relevance would reach the input "{labels[name]}"',
                "an input that the output is computed from, by operations that pass relevance",
                "print the plan for another input, or for a recipe that holds less constant",
            )


def _plan_step(node: Node, recipe: Recipe, analysis: GraphAnalysis, graph: Graph) -> Step:
    operation, kind = operation_of(node), analysis.kinds.get(node.name)
    row = _first_match(_locate(node, analysis), recipe)
    if kind and operation and row is not None and row.rule.definition.any_named:
        # Autograd takes the whole operation, where rules of its kind share among some arguments.
        hidden = validation.dependent_parameters(node, operation, analysis)
        kind = kind if kind in WEIGHTED_SUMS and not hidden else None
    _validate(node, operation, row, kind, recipe, analysis, graph)
    inputs = dependent_inputs(node, analysis.dependent)
    step = Step(
        node=node,
        principle=operation.principle if operation and row is None else Principle.RULE,
        operation=operation,
        rule=row.rule if row else None,
        why=str(row.selector) if row else "",
        kind=kind,
        routes=inputs,
        batch_norm=analysis.folds.get(node.name),
        elementwise=len(inputs) == 1 and _is_elementwise(node, operation),
        nonnegative=analysis.nonnegative.issuperset(inputs),
    )
    if row is None:
        return _with_principle(step)
    return _with_receivers(step, analysis) if kind else step


def _is_elementwise(node: Node, operation: Operation | None) -> bool:
    if operation is None:
        return node.operation in STEPS
    return operation.elementwise or operation.principle is Principle.ACTIVATION


def _validate(
    node: Node,
    operation: Operation | None,
    row: RecipeRow | None,
    kind: Kind | None,
    recipe: Recipe,
    analysis: GraphAnalysis,
    graph: Graph,
) -> None:
    """Refuse an operation that relevance cannot pass by what the recipe says."""
    if graph.any_batch:
        validation.refuse_mixed_samples(node)
    if row is None:
        validation.refuse_without_rule(node, operation, analysis, recipe, graph)
    if row is not None and row.rule.name == "straight-through":
        validation.refuse_second_argument(node, analysis, recipe)
    if operation is None or (row is not None and kind is None):
        return  # a row that names the operation itself: the gradient, or a constant
    if kind is not None:
        validation.refuse_dependent_parameters(node, operation, analysis, recipe, graph)
    validation.refuse_lstm_projection(node, recipe, graph)
    validation.refuse_relative_epsilon(node, row.rule if row else None, recipe)


def _with_principle(step: Step) -> Step:
    """Note the principle as the reason; a product with one dependent factor is linear in it."""
    principle = Principle.LINEAR if step.principle is Principle.RULE else step.principle
    assert principle is not None
    return replace(step, principle=principle, why=principle.value)


def _with_receivers(step: Step, analysis: GraphAnalysis) -> Step:
    """Choose the arguments that receive relevance: all that depend on the input, or the signal."""
    assert step.rule is not None
    places = dependent_args(step.node, analysis.dependent)
    if step.rule.definition.receives == "signal":
        constant = analysis.constant_factor.get(step.node.name)
        places = (2,) if step.kind == "attention" else tuple(i for i in places if i != constant)
    routes = tuple(step.node.args[i].name for i in places)
    alone = step.operation is not None and step.operation.elementwise and len(places) == 1
    return replace(step, places=places, routes=routes, elementwise=alone)
