"""Planning: a Graph and a Recipe -> a Plan, or an error that names what has no rule.

Decides everything that can be decided without a tensor, walking the graph forward for what is
known of each value, and back for the form in which relevance arrives there.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..errors import PlanError
from .capture import Graph, Node, Ref
from .facts import Facts, find_facts
from .forms import Form
from .operations import Operation, Principle, kind, known
from .plan import Plan, Step
from .recipe import Recipe
from .rows import Row

# What the names of torch's operations that draw random numbers have in common.
RANDOM = ("dropout", "bernoulli", "rand", "normal", "multinomial", "uniform", "with_noise")


def make_plan(graph: Graph, recipe: Recipe) -> Plan:
    """Decide for every operation of `graph` what happens to relevance there.

    Raises PlanError for an operation without a rule, a rule that does not fit, a layer in train
    mode, a row that fits nothing, and a result that does not depend on the input.
    """
    _refuse_train_mode(graph.nodes)
    facts = find_facts(graph)
    _check_rows(graph, recipe, facts)
    steps = [_decide(node, recipe, facts) for node in graph.nodes if node.name not in facts.folded]
    if graph.output not in facts.dependent:
        raise PlanError(
            "the model's output does not depend on its input",
            "a model whose output is computed from its input",
            "check that forward uses its argument, and does not detach it",
        )
    steps, input_form = _with_forms(steps, graph)
    return Plan(graph, recipe, tuple(_with_relus(steps)), facts.dependent, input_form)


def _refuse_train_mode(nodes: Iterable[Node]) -> None:
    for node in nodes:
        random = any(word in node.operation for word in RANDOM)
        batch_statistics = node.operation.startswith("_native_batch_norm_legit")
        if random or batch_statistics:
            what = "the batch's own statistics" if batch_statistics else "random numbers"
            raise PlanError(
                f"{node.where} uses {what}: the model is in train mode",
                "a model in eval mode, whose output for a sample is always the same",
                "call model.eval() before",
            )


def _decide(node: Node, recipe: Recipe, facts: Facts) -> Step:
    if node.name not in facts.dependent:
        return Step(node, None, None, None, "does not depend on the input")
    if None not in node.shape:
        raise PlanError(
            f"{node.where} mixes the samples of a batch: its result has shape {node.shape}",
            "operations whose result has one entry for each sample",
            "give the dimensions without the batch: x.mean((1, 2, 3)) for x.mean()",
        )
    operation = known(node)
    gradient = _gradient_row(node, recipe)
    if gradient and (operation is None or operation.principle is not Principle.WEIGHTED_SUM):
        return Step(node, Principle.GRADIENT, operation, gradient.rule, str(gradient.selector))
    if operation is None:
        raise _no_rule(node, "no rule for")
    _refuse_products(node, operation, facts)
    norm = facts.folds.get(node.name)
    nonnegative = all(name in facts.nonnegative for name in node.inputs if name in facts.dependent)
    if operation.principle is not Principle.WEIGHTED_SUM:
        alone = len(facts.dependent.intersection(node.inputs)) == 1
        step = Step(node, operation.principle, operation, None, operation.principle.value)
        return replace(step, elementwise=operation.elementwise and alone)
    row = _row(node, operation, recipe, facts)
    return Step(
        node=node,
        principle=operation.principle,
        operation=operation,
        rule=row.rule,
        why=str(row.selector),
        batch_norm=norm,
        nonnegative=nonnegative,
    )


def _gradient_row(node: Node, recipe: Recipe) -> Row | None:
    named = (row for row in recipe.rows if row.selector.name is not None)
    row = next((r for r in named if fnmatchcase(node.module, r.selector.name or "")), None)
    return row if row and row.rule.name == "gradient" else None


def _row(node: Node, operation: Operation, recipe: Recipe, facts: Facts) -> Row:
    assert operation.kind is not None
    first = node.name in facts.first
    for row in recipe.rows:
        if row.selector.fits(node.module, operation.kind, first):
            return row
    raise PlanError(
        f"recipe {recipe.name} has no row for {node.where}, a {operation.kind}",
        "a recipe with a row for every weighted sum",
        f'recipe.using("{node.module or "*"}", "epsilon")',
    )


def _no_rule(node: Node, problem: str) -> PlanError:
    return PlanError(
        f"{problem} {node.where}",
        "an operation that relprop knows, or a row of the recipe that names a rule for it",
        f'recipe.using("{node.module}", "gradient") takes the gradient there instead',
    )


def _refuse_products(node: Node, operation: Operation, facts: Facts) -> None:
    """What has a rule for one argument that depends on the input has none for two of them."""
    dependent = [isinstance(arg, Ref) and arg.name in facts.dependent for arg in node.args]
    if operation.scales and (sum(dependent) > 1 or (node.operation == "div" and not dependent[0])):
        raise _no_rule(node, "no rule for the product or quotient of two input-dependent values in")
    if operation.principle is Principle.WEIGHTED_SUM and any(dependent[1:]):
        raise _no_rule(node, "the weight depends on the input in")
    if (operation.principle is Principle.ACTIVATION or node.operation == "batch_norm") and any(
        dependent[1:]
    ):
        raise _no_rule(node, "a parameter depends on the input in")


def _check_rows(graph: Graph, recipe: Recipe, facts: Facts) -> None:
    """A row that the user named a module in must fit an operation that takes its rule."""
    left = facts.dependent - facts.folded
    nodes = [node for node in graph.nodes if node.name in left]
    sums = [node for node in nodes if kind(node) is not None]
    for row in recipe.rows:
        fitting = nodes if row.rule.name == "gradient" else sums
        pattern = row.selector.name if row.selector.name is not None else "*"
        if row.required and not any(fnmatchcase(node.module, pattern) for node in fitting):
            names = list(dict.fromkeys(node.module for node in fitting))
            near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.3)
            raise PlanError(
                f'"{pattern}" fits no module that takes the rule "{row.rule.name}"',
                ", ".join(f'"{name}"' for name in names),
                f'write "{near[0]}"' if near else "name one of these, or a glob that fits some",
            )


def _with_forms(steps: list[Step], graph: Graph) -> tuple[list[Step], Form]:
    """Walk back from the output: the form in which relevance arrives at each step and leaves it."""
    arrivals: dict[str, list[Arrival]] = {graph.output: [Arrival(Form.GRADIENT, False)]}
    done: list[Step] = []
    for step in reversed(steps):
        if step.principle and step.name in arrivals:
            step = _with_arrivals(step, arrivals[step.name])
            for name in step.node.inputs:
                arrivals.setdefault(name, []).append(_leaving(step))
        done.append(step)
    if graph.input not in arrivals:
        raise PlanError(
            "no relevance would reach the input",
            "a model whose output is computed from its input",
            "print the plan to see where the way back ends",
        )
    return done[::-1], _meet(arrivals[graph.input]).form


@dataclass(frozen=True)
class Arrival:
    """How relevance arrives at a value: its form, and whether only where the value is > 0."""

    form: Form
    only_positive: bool


def _meet(arrivals: list[Arrival]) -> Arrival:
    if any(arrival.form is Form.RELEVANCE for arrival in arrivals):
        return Arrival(Form.RELEVANCE, False)
    return Arrival(Form.GRADIENT, all(arrival.only_positive for arrival in arrivals))


def _with_arrivals(step: Step, arrivals: list[Arrival]) -> Step:
    arrival = _meet(arrivals)
    keeps_zero = step.operation is not None and step.operation.keeps_zero
    leaving = {
        Principle.WEIGHTED_SUM: step.rule.definition.gives if step.rule else Form.GRADIENT,
        Principle.ACTIVATION: arrival.form if keeps_zero else Form.RELEVANCE,
        Principle.SELECTION: arrival.form,
        Principle.COMBINATION: arrival.form if step.elementwise else Form.GRADIENT,
        Principle.GRADIENT: Form.GRADIENT,
    }
    return replace(
        step,
        arriving=arrival.form,
        rectified=arrival.only_positive,
        leaving=leaving[step.principle] if step.principle else None,
    )


def _leaving(step: Step) -> Arrival:
    gradient = step.arriving is Form.GRADIENT
    rectifies = step.operation is not None and step.operation.rectifies and gradient
    copies = step.principle is Principle.SELECTION and step.rectified
    return Arrival(step.leaving or Form.GRADIENT, rectifies or copies)


def _with_relus(steps: list[Step]) -> list[Step]:
    """Run a weighted sum and the ReLU after it as one step, where its rule needs no sum below 0."""
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.node.inputs:
            readers.setdefault(name, []).append(step)
    joined = {step.name: _relu_after(step, readers.get(step.name, [])) for step in steps}
    relus = {relu.name for relu in joined.values() if relu}
    return [replace(s, relu=joined[s.name]) for s in steps if s.name not in relus]


def _relu_after(step: Step, readers: list[Step]) -> Node | None:
    if step.rule is None or not step.rectified or len(readers) != 1:
        return None
    needs_sum = step.rule.parameters.get("relative", False)  # the mean square is over all of z
    is_relu = readers[0].node.operation == "relu" and readers[0].rule is None
    return readers[0].node if is_relu and not needs_sum else None
