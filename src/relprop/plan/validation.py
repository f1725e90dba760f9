"""Validation of a plan before anything runs: each error names the layer and what to do.

Takes nodes, what is known of them, and the recipe. Gives nothing, or raises a PlanError.
Must not decide what a step does.
"""

from collections.abc import Mapping, Sequence

from ..errors import DroppedPathWarning, PlanError, UnreadSoftmaxWarning
from ..graph.analysis import GraphAnalysis, analyse_graph, dependent_args
from ..graph.dropped import dropped_paths
from ..graph.ir import Graph, Node, Ref
from ..graph.ops import (
    COMPARISONS,
    FIRST_ONLY,
    STEPS,
    WEIGHTED_SUMS,
    Operation,
    Principle,
    has_zero_gradient,
    operation_of,
    rounds_quotient,
)
from ..recipes.presets import usual_rule
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, Selector
from ..rules.rule import Rule
from ..support.arguments import suggest

_NO_DERIVATIVE = "which has no derivative"


def refuse_constant_output(
    graph: Graph, analysis: GraphAnalysis, held: frozenset[str], recipe: Recipe
) -> None:
    """Refuse a model whose output does not depend on its input, and say where that ended."""
    if graph.tokens and not any(analysis.sources[s] in graph.tokens for s in analysis.sources):
        raise PlanError(
            "an input of integers that no embedding looks up",
            "floating point numbers, or token ids that go to an embedding as they are",
            "write x.float(), or give the embedded tokens",
        )
    if graph.output in analysis.dependent:
        return
    ends = dropped_paths(graph, analysis.dependent, (), held)
    if ends:
        raise PlanError(
            f"the model's output depends on its input by {ends[0].where} alone, {_NO_DERIVATIVE}",
            "a model with a path from its input to its output that relevance can pass",
            _way_on(ends[0], recipe, alone=True),
        )
    raise PlanError(
        "the model's output does not depend on its input",
        "a model whose output is computed from its input",
        "check that forward uses its argument, and does not detach it",
    )


def dropped_warning(nodes: Sequence[Node], recipe: Recipe) -> DroppedPathWarning:
    """Make the warning of paths that end at these operations, with the line to write."""
    places = ", ".join(dict.fromkeys(node.where for node in nodes))
    return DroppedPathWarning(
        f"relevance leaves out what depends on the input by {places}, {_NO_DERIVATIVE}: in the "
        "sums that it is added to it counts as a constant",
        "a model whose paths from input to output relevance can pass",
        _way_on(nodes[0], recipe, alone=False),
    )


def unread_warning(nodes: Sequence[Node], recipe: Recipe) -> UnreadSoftmaxWarning:
    """Make the warning of quotients that look like a softmax, with the line to write."""
    places, first = ", ".join(dict.fromkeys(node.where for node in nodes)), nodes[0]
    name = f'name="{first.module}", ' if first.module else ""
    selector = f'relprop.Selector({name}operation="{first.operation}")'
    module = f'the forward of "{first.module}"' if first.module else "forward"
    divides = first.operation == "div"
    rule = "constant-statistics" if divides else "gradient"
    effect = "holds its divisor constant" if divides else "takes the gradient there"
    return UnreadSoftmaxWarning(
        f"exponentials reach both sides of {places}, the divisor by a sum, as in a softmax; "
        "relprop reads no softmax there, and explains a quotient, by which relevance may grow",
        "torch.softmax, or exponentials by their sum in operations that relprop reads",
        f"write torch.softmax(logits, dim) in {module}; if it is none, "
        f'{recipe.as_written}.using({selector}, "{rule}") {effect}, without this message',
    )


def _way_on(node: Node, recipe: Recipe, alone: bool) -> str:
    """Write the lines that give relevance a way past an operation without derivative.

    Args:
        node: The operation.
        recipe: The recipe.
        alone: Whether no other path leads from the input to the output.
    """
    name = f'name="{node.module}", ' if node.module else ""
    selector = f'relprop.Selector({name}operation="{node.operation}")'
    using = f"{recipe.as_written}.using({selector}"
    constant = "holds it constant, without this message"
    if node.operation not in STEPS:
        end = f"explain a model that ends before it, with what {node.operation} takes as output"
        return end if alone else f'{using}, "constant") {constant}'
    surrogate = ', or as "fast-sigmoid" or "arctan"' if node.operation in COMPARISONS else ""
    passes = f'{using}, "straight-through") passes its cotangent on as it is{surrogate}'
    return passes if alone else f'{passes}; "constant" {constant}'


def refuse_mixed_samples(node: Node) -> None:
    """Refuse a result without a batch dimension."""
    if None not in node.shape:
        raise PlanError(
            f"{node.where} mixes the samples of a batch: its result has shape {node.shape}",
            "operations whose result has one entry for each sample",
            "give the dimensions without the batch: x.mean((1, 2, 3)) for x.mean()",
        )


def refuse_unmatched_rows(
    nodes: list[Node], ends: list[Node], recipe: Recipe, locations: dict[str, Location]
) -> None:
    """Refuse a row that the user wrote and that applies to no operation: a typo, most likely.

    Args:
        nodes: The operations that depend on the input.
        ends: Those at which the dependence ends; they can be held constant on purpose.
        recipe: The recipe.
        locations: Name of an operation -> where it is.
    """
    for row in recipe.rows:
        definition, by_operation = row.rule.definition, row.selector.operation is not None
        selectable = [*nodes, *ends] if definition.receives == "none" else nodes
        if not row.required or any(row.matches(locations[node.name]) for node in selectable):
            continue
        takers = [
            node
            for node in nodes
            if definition.any_named
            or locations[node.name].kind in definition.kinds
            or node.operation in definition.operations
        ]
        names = dict.fromkeys(node.operation if by_operation else node.module for node in takers)
        pattern = row.selector.operation or row.selector.name or "*"
        raise PlanError(
            f'{row.selector} matches no module that takes the rule "{row.rule.name}"',
            ", ".join(f'"{name}"' for name in names) or "no module of this model",
            _line_for_row(row.selector, takers, locations)
            or suggest(pattern, names, otherwise="name one of these, or a glob that matches some"),
        )


def _line_for_row(selector: Selector, takers: list[Node], locations: Mapping[str, Location]) -> str:
    """Write the selector of a class or of a kind that was given as a name; "" for another name."""
    places = [locations[node.name] for node in takers]
    classes = {place.type.lower(): place.type for place in places}
    kinds = {str(place.kind) for place in places}
    name = (selector.name or "").lower()
    if name in classes:
        return f'write relprop.Selector(type="{classes[name]}")'
    return f'write relprop.Selector(kinds=("{name}",))' if name in kinds else ""


def refuse_without_rule(
    node: Node, operation: Operation | None, analysis: GraphAnalysis, recipe: Recipe, graph: Graph
) -> None:
    """Refuse an operation that no row matches, if relevance cannot pass it without a rule."""
    kind = analysis.kinds.get(node.name)
    places = dependent_args(node, analysis.dependent)
    if operation is None:
        raise _no_rule(node, "no rule for", recipe, graph, has_zero_gradient(node, places))
    if operation.principle is Principle.STATISTIC:
        raise _no_rule(node, "relevance cannot pass the statistic", recipe, graph)
    if kind is not None:
        raise PlanError(
            f"recipe {recipe.name} has no row for {node.where}, a {kind}",
            f"a recipe with a row for every {'weighted sum' if kind in WEIGHTED_SUMS else kind}",
            f'{recipe.as_written}.using("{node.module or "*"}", "{usual_rule(kind)}")',
        )
    if node.operation == "div" and places == (1,):
        problem = "a constant is divided by a value that depends on the input in"
        raise _no_rule(node, problem, recipe, graph)
    others = places != (0,) and node.operation != "where"
    first_only = operation.principle is Principle.ACTIVATION or node.operation in FIRST_ONLY
    weighted = node.operation == "lerp" and 2 in places
    if weighted or (first_only and others):
        raise _no_rule(node, "a parameter depends on the input in", recipe, graph)


def refuse_dependent_parameters(
    node: Node, operation: Operation, analysis: GraphAnalysis, recipe: Recipe, graph: Graph
) -> None:
    """Refuse what `dependent_parameters` finds: the rule has no share for it."""
    problem = dependent_parameters(node, operation, analysis)
    if problem:
        raise _no_rule(node, problem, recipe, graph)


def dependent_parameters(node: Node, operation: Operation, analysis: GraphAnalysis) -> str:
    """Find what depends on the input beside the arguments that rules share relevance among.

    The bounds of a clamp, the weight of a normalisation or the mask of attention may be such.
    Returns the problem in words; "" if there is none.
    """
    kind = analysis.kinds.get(node.name)
    places = dependent_args(node, analysis.dependent)
    hidden = analysis.dependent.intersection(node.inputs) - {
        node.args[i].name for i in places if isinstance(node.args[i], Ref)
    }
    single = kind in ("softmax", "normalisation", "recurrent") and operation.kind == kind
    if hidden or (single and places != (0,)) or (kind == "attention" and max(places) > 2):
        return "a parameter depends on the input in"
    if kind in ("matmul", "product", "gate") and len(places) != 2:
        return "an added value depends on the input, as both factors do, in"
    return ""


def refuse_second_argument(node: Node, analysis: GraphAnalysis, recipe: Recipe) -> None:
    """Refuse the straight-through rule where more than the first argument depends on the input."""
    if dependent_args(node, analysis.dependent) != (0,):
        raise PlanError(
            f"straight-through at {node.where}, whose other argument depends on the input",
            "a step whose first argument alone depends on the input",
            f'{recipe.as_written}.using({_selector(node)}, "constant") holds its value constant',
        )


def refuse_relative_epsilon(node: Node, rule: Rule | None, recipe: Recipe) -> None:
    """Refuse a mean over each sample where samples share a dimension with positions."""
    if node.merged and rule and rule.parameters.get("relative"):
        raise PlanError(
            f"relative epsilon at {node.where}, where samples and positions are one dimension",
            "an epsilon that is not relative there",
            f'{recipe.as_written}.using("{node.module}", "epsilon", epsilon=1e-6)',
        )


def refuse_lstm_projection(node: Node, recipe: Recipe, graph: Graph) -> None:
    """Refuse torch.nn.LSTM(proj_size=...), which shows by one more weight in each layer."""
    if node.operation != "lstm":
        return
    layers = node.args[4] * (2 if node.args[7] else 1)
    if len(node.args[2]) != layers * (4 if node.args[3] else 2):
        raise _no_rule(node, "no rule for the projection (proj_size) in", recipe, graph)


def _no_rule(
    node: Node, problem: str, recipe: Recipe, graph: Graph, zero_gradient: bool = False
) -> PlanError:
    """Return the error for an operation that relevance cannot pass."""
    allowed = "an operation that relprop knows, or a row of the recipe that names a rule for it"
    alone = graph.output not in analyse_graph(graph, frozenset([node.name])).dependent
    gates = not alone and _meets_its_argument(node, graph)
    line = _line(node, recipe, zero_gradient, alone, gates)
    return PlanError(f"{problem} {node.where}", allowed, line)


def _meets_its_argument(node: Node, graph: Graph) -> bool:
    """Tell whether a sign multiplies its own argument, or what is chosen by it, as in |x|.

    A constant sign leaves the gradient of the product then, where the identity gives another one.
    """
    if node.operation not in ("sign", "sgn") or not isinstance(node.args[0], Ref):
        return False
    own, signs = {node.args[0].name}, {node.name}
    for user in graph.nodes:
        names = set(user.inputs) - graph.state.keys() - graph.constants.keys()
        if user.operation in ("mul", "where") and names & own and names & signs:
            return True
        operation = operation_of(user)
        entrywise = user.operation in COMPARISONS or (operation and operation.elementwise)
        activates = operation is not None and operation.principle is Principle.ACTIVATION
        if names and names <= own | signs and (entrywise or activates):
            (signs if names & signs else own).add(user.name)
    return False


def _line(node: Node, recipe: Recipe, zero_gradient: bool, alone: bool, gates: bool = False) -> str:
    """Write the line by which relevance passes an operation without a rule, if there is one.

    Args:
        node: The operation.
        recipe: The recipe.
        zero_gradient: Whether its gradient is zero.
        alone: Whether no other path leads from the input to the output, so that holding its value
            constant would leave nothing to explain.
        gates: Whether it is a sign that multiplies its own argument.
    """
    using, constant = f"{recipe.as_written}.using({_selector(node)}", "holds its value constant"
    passes = "passes relevance as if it were the identity"
    if node.operation == "detach" and not alone:
        return f'{using}, "constant") {constant}, as autograd does, "straight-through" {passes}'
    if gates:
        return f'{using}, "constant") {constant}, as autograd does, "straight-through" {passes}'
    if node.operation in STEPS:
        line = f'{using}, "straight-through") {passes}'
    elif zero_gradient or rounds_quotient(node):
        own = "write it with torch.floor or torch.sign, which take the rule straight-through"
        return own if alone else f'{using}, "constant") {constant}; or {own}'
    else:
        line = f'{using}, "gradient") takes the gradient there instead'
    return line if alone else f'{line}, "constant" {constant}'


def refuse_zero_gradient(node: Node, recipe: Recipe) -> None:
    """Refuse a step that the recipe takes the gradient of, where no relevance passes otherwise."""
    raise PlanError(
        f"the gradient of {node.where}, which is zero: no relevance would pass",
        "a rule by which relevance passes it, or a model in which another way leads to the input",
        _line(node, recipe, zero_gradient=True, alone=True),
    )


def _selector(node: Node) -> str:
    """Write a selector of the node: its module, or its operation if the model itself runs it."""
    return f'"{node.module}"' if node.module else f'relprop.Selector(operation="{node.operation}")'
