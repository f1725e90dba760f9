"""What planning refuses, before anything runs: each with the layer, the operation and what to do.

Takes nodes and what is known of them. Decides nothing.
"""

import difflib

from ..errors import PlanError
from ..graph.analysis import GraphAnalysis, dependent_args
from ..graph.ir import Graph, Node, Ref
from ..graph.ops import FIRST_ONLY, WEIGHTED_SUMS, Operation, Principle, operation_of
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location
from ..rules.registry import Rule


def refuse_constant_output(graph: Graph, analysis: GraphAnalysis) -> None:
    """The output must depend on the input."""
    if graph.tokens and not any(analysis.sources[s] in graph.tokens for s in analysis.sources):
        raise PlanError(
            "an input of integers that no embedding looks up",
            "floating point numbers, or token ids that go to an embedding as they are",
            "write x.float(), or give the embedded tokens",
        )
    if graph.output not in analysis.dependent:
        raise PlanError(
            "the model's output does not depend on its input",
            "a model whose output is computed from its input",
            "check that forward uses its argument, and does not detach it",
        )


def refuse_final_softmax(
    graph: Graph, recipe: Recipe, analysis: GraphAnalysis, places: dict[str, Location]
) -> None:
    """Probabilities at the output: each class's relevance would be that against all others."""
    node = graph.node(graph.output)
    while (
        node is not None and getattr(operation_of(node), "principle", None) is Principle.SELECTION
    ):
        inside = analysis.dependent.intersection(node.inputs)
        node = graph.node(inside.pop()) if len(inside) == 1 else None
    if node is None or analysis.kinds.get(node.name) != "softmax":
        return
    named = (row for row in recipe.rows if row.selector.is_explicit)
    if not any(row.matches(places[node.name]) for row in named):
        raise PlanError(
            f"{node.where} ends the model: a softmax over the classes",
            "a model whose output are the scores before the softmax",
            "leave the softmax out, or to explain probabilities write "
            f'recipe.using("{node.module}", "taylor")',
        )


def refuse_mixed_samples(node: Node) -> None:
    """A result without a dimension for samples."""
    if None not in node.shape:
        raise PlanError(
            f"{node.where} mixes the samples of a batch: its result has shape {node.shape}",
            "operations whose result has one entry for each sample",
            "give the dimensions without the batch: x.mean((1, 2, 3)) for x.mean()",
        )


def refuse_unfit_rows(nodes: list[Node], recipe: Recipe, places: dict[str, Location]) -> None:
    """A row that the user wrote must fit an operation that takes its rule."""
    for row in recipe.rows:
        if not row.required or any(row.matches(places[node.name]) for node in nodes):
            continue
        kinds = row.rule.definition.kinds
        fitting = [
            n for n in nodes if row.rule.definition.any_named or places[n.name].kind in kinds
        ]
        operation, pattern = row.selector.operation, row.selector.name or "*"
        of = [node.module if operation is None else node.operation for node in fitting]
        names, pattern = list(dict.fromkeys(of)), operation or pattern
        near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.3)
        raise PlanError(
            f'{row.selector} fits no module that takes the rule "{row.rule.name}"',
            ", ".join(f'"{name}"' for name in names) or "no module of this model",
            f'write "{near[0]}"' if near else "name one of these, or a glob that fits some",
        )


def refuse_unruled(
    node: Node, operation: Operation | None, analysis: GraphAnalysis, recipe: Recipe
) -> None:
    """An operation that no row fits must need none."""
    kind = analysis.kinds.get(node.name)
    if operation is None:
        raise no_rule(node, "no rule for")
    if operation.principle is Principle.STATISTIC:
        raise no_rule(node, "relevance has no way through the statistic")
    if kind is not None:
        raise PlanError(
            f"recipe {recipe.name} has no row for {node.where}, a {kind}",
            f"a recipe with a row for every {'weighted sum' if kind in WEIGHTED_SUMS else kind}",
            f'recipe.using("{node.module or "*"}", "{_usual(kind)}")',
        )
    places = dependent_args(node, analysis.dependent)
    if node.operation == "div" and places == (1,):
        raise no_rule(node, "a constant is divided by what depends on the input in")
    others = places != (0,)
    narrow = operation.principle is Principle.ACTIVATION or node.operation in FIRST_ONLY
    weighed = node.operation == "lerp" and 2 in places
    if weighed or (narrow and others and node.operation != "where"):
        raise no_rule(node, "a parameter depends on the input in")


def refuse_unfit_arguments(node: Node, operation: Operation, analysis: GraphAnalysis) -> None:
    """What has a rule for some of its arguments may have none where others depend on the input."""
    kind = analysis.kinds.get(node.name)
    places = dependent_args(node, analysis.dependent)
    hidden = analysis.dependent.intersection(node.inputs) - {
        node.args[i].name for i in places if isinstance(node.args[i], Ref)
    }
    single = kind in ("softmax", "normalisation", "recurrent") and operation.kind == kind
    if hidden or (single and places != (0,)) or (kind == "attention" and max(places) > 2):
        raise no_rule(node, "a parameter depends on the input in")
    if kind in ("matmul", "product", "gate") and len(places) != 2:
        raise no_rule(node, "an added value depends on the input, as both factors do, in")


def refuse_relative(node: Node, rule: Rule | None) -> None:
    """Where samples share a dimension with positions, a sample's own mean is not at hand."""
    if node.merged and rule and rule.parameters.get("relative"):
        raise PlanError(
            f"relative epsilon at {node.where}, where samples and positions are one dimension",
            "an epsilon that is not relative there",
            f'recipe.using("{node.module}", "epsilon", epsilon=1e-6)',
        )


def refuse_projection(node: Node) -> None:
    """torch.nn.LSTM(proj_size=...) has one more weight."""
    if node.operation != "lstm":
        return
    layers = node.args[4] * (2 if node.args[7] else 1)
    if len(node.args[2]) != layers * (4 if node.args[3] else 2):
        raise no_rule(node, "no rule for the projection (proj_size) in")


def no_rule(node: Node, problem: str) -> PlanError:
    """The error for an operation that relevance cannot pass."""
    return PlanError(
        f"{problem} {node.where}",
        "an operation that relprop knows, or a row of the recipe that names a rule for it",
        f'recipe.using({_selector(node)}, "gradient") takes the gradient there instead, '
        '"constant" takes none',
    )


def _selector(node: Node) -> str:
    """What names a node in a recipe: its module, or itself among all that the model itself runs."""
    return f'"{node.module}"' if node.module else f'relprop.Selector(operation="{node.operation}")'


def _usual(kind: str) -> str:
    usual = {
        **{"softmax": "taylor", "attention": "attnlrp", "matmul": "uniform", "product": "uniform"},
        **{"gate": "constant-gate", "normalisation": "constant-statistics"},
        "recurrent": "signal-takes-all",
    }
    return usual.get(kind, "epsilon")
