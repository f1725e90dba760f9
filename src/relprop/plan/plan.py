"""The plan: what happens to relevance at every operation, decided before anything runs.

Two frozen records that can be printed. The planner makes them, a program runs them.
Must not hold tensors of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..graph.ir import Graph, Node
from ..graph.ops import Kind, Operation, Principle
from ..recipes.recipe import Recipe
from ..rules.backward import Form
from ..rules.rule import Rule

AFTER_SCORES = "after what is explained"  # the reason of a step between the logits and the output


@dataclass(frozen=True)
class Step:
    """One operation, and what was decided for its backward pass.

    A BatchNorm that folds into the operation and an activation that runs with it belong to the
    same step.

    Attributes:
        node: The operation.
        principle: What it does to relevance; None if no relevance passes.
        operation: What is known of the operation; None if it is unknown.
        rule: The rule that it got; None if it needs none.
        why: The selector, or the principle, that decided.
        kind: Kind of rule that it takes; None if it needs none.
        routes: Names of the values that it passes relevance to.
        places: Positions of these values among its arguments; empty where one value may fill
            several.
        batch_norm: The BatchNorm that is folded into it.
        activation: The activation that runs with it.
        elementwise: Each entry of its result depends on one entry of one input.
        nonnegative: Its inputs are known to be >= 0.
        rectified: Relevance arrives only where its result is > 0, as before a ReLU.
        arriving: Form of the relevance that arrives at its result; None if none does.
        leaving: Form of the relevance that it passes to its inputs.

    Example:
        >>> import relprop
        >>> from torch import nn, ones
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
        >>> step = relprop.Explainer(model, "epsilon").plan(ones(1, 3)).steps[0]
        >>> step.label, step.rule.name, step.kind, step.why
        ('linear + relu', 'epsilon', 'linear', 'any convolution or linear')
        >>> step.nonnegative, step.rectified, step.leaving.value
        (False, True, 'per-unit')
    """

    node: Node
    principle: Principle | None
    operation: Operation | None
    rule: Rule | None
    why: str
    kind: Kind | None = None
    routes: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    batch_norm: Node | None = None
    activation: Node | None = None
    elementwise: bool = False
    nonnegative: bool = False
    rectified: bool = False
    arriving: Form | None = None
    leaving: Form | None = None

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The operations that it runs, in order."""
        return tuple(node for node in (self.node, self.batch_norm, self.activation) if node)

    @cached_property
    def name(self) -> str:
        """Name of the value that it computes."""
        return self.nodes[-1].name

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Names of all values that it takes."""
        internal = {node.name for node in self.nodes}
        inputs = dict.fromkeys(name for node in self.nodes for name in node.inputs)
        return tuple(name for name in inputs if name not in internal)

    @property
    def rectifies_in_place(self) -> bool:
        """Whether its activation is a ReLU that may overwrite the weighted sum."""
        if self.activation is None or self.activation.operation != "relu" or not self.rectified:
            return False
        # A relative epsilon is measured on the whole sum, with the entries that ReLU sets to zero.
        return not (self.rule and self.rule.parameters.get("relative", False))

    @property
    def label(self) -> str:
        """Its operations, as plans and ledgers print them."""
        return " + ".join(node.operation for node in self.nodes)


@dataclass(frozen=True)
class Plan:
    """Every operation of a model, its rule, and the reason. Print it to read it.

    Attributes:
        graph: The model's operations.
        recipe: The recipe; "auto" has been replaced by the preset it chose.
        steps: One step for each operation, or for several that run together.
        sources: Value at which relevance is read off -> name of the explained input. The value
            is the input itself, or for token ids their embedding.
        forms: Value -> form of the relevance that arrives there.
        dropped: Operations at which the dependence on the explained input ends, and whose result
            is added to what depends on it: it counts as constant, and receives no relevance.
        unread: Divisions that look like a softmax that the code writes out, and were not read as
            one.

    Example:
        >>> import relprop
        >>> from torch import nn, ones
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
        >>> recipe = relprop.Recipe.preset("epsilon").using("*", "gamma")
        >>> print(relprop.Explainer(model, recipe).plan(ones(1, 3)))
        plan of recipe epsilon
        module  operation      rule               why  notes
        0       linear + relu  gamma(gamma=0.25)  "*"  relevance only where output > 0
        2       linear         gamma(gamma=0.25)  "*"  input >= 0
    """

    graph: Graph
    recipe: Recipe
    steps: tuple[Step, ...]
    sources: Mapping[str, str]
    forms: Mapping[str, Form]
    dropped: tuple[Node, ...] = ()
    unread: tuple[Node, ...] = ()

    @cached_property
    def dropped_at(self) -> tuple[str, ...]:
        """Where paths are dropped: modules and operations, each once."""
        return tuple(dict.fromkeys(node.where for node in self.dropped))

    def __str__(self) -> str:
        rows = [_columns(step, self.sources) for step in self.steps if step.node.shape]
        table = [("module", "operation", "rule", "why", "notes"), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[4]])
            for row in table
        ]
        head = self.graph.head
        explained = [f"explained: {head}"] if head and str(head) else []
        sizes = [f"sizes: {self.graph.sizes}"] if self.graph.sizes else []
        lines = [f"plan of recipe {self.recipe.name}", *explained, *sizes, *lines]
        return "\n".join(line.rstrip() for line in lines)


def _columns(step: Step, sources: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    no_relevance = step.principle is None and step.name not in sources
    constant = no_relevance and step.why != AFTER_SCORES
    notes = [
        "constant" if constant else "",
        "input >= 0" if step.rule and step.nonnegative else "",
        "relevance only where output > 0" if step.rule and step.rectified else "",
        "arrives as relevance, not per unit" if step.arriving is Form.RELEVANCE else "",
        f'BatchNorm "{step.batch_norm.module}" folded' if step.batch_norm else "",
    ]
    rule = str(step.rule) if step.rule else "-"
    return step.node.module, step.label, rule, step.why, "; ".join(note for note in notes if note)
