"""The plan: what happens to the relevance at every operation, decided before anything runs.

Two frozen records that can be printed. `planner` makes them, `program` runs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..graph.ir import Graph, Node
from ..graph.ops import Kind, Operation, Principle
from ..recipes.recipe import Recipe
from ..rules.backward import Form
from ..rules.registry import Rule


@dataclass(frozen=True)
class Step:
    """One operation and what was decided for it.

    principle    what it does to relevance; None where none passes
    operation    what is known of it
    kind         of rule that it takes; None if it needs none
    rule         that it got
    why          the row of the recipe, or the principle, that decided
    routes       names of the values that it gives relevance to
    places       their positions among its arguments; empty where one may stand at several
    batch_norm   the batch norm that is folded into it
    activation   the one that runs with it
    name         of its value: that of the activation or of the batch norm, if there is one
    elementwise  each entry of its value depends on one entry of one input
    nonnegative  its input is known to be >= 0
    rectified    relevance arrives only where its output is > 0
    arriving     form of the relevance that arrives at its output, None where none does
    leaving      form of the relevance that it gives to its inputs
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
        """Name of the value that it makes."""
        return self.nodes[-1].name

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Names of all values that it takes."""
        made = {node.name for node in self.nodes}
        found = dict.fromkeys(name for node in self.nodes for name in node.inputs)
        return tuple(name for name in found if name not in made)

    @property
    def rectifies_in_place(self) -> bool:
        """Whether its activation is a ReLU below which no number of the sum is needed."""
        if self.activation is None or self.activation.operation != "relu" or not self.rectified:
            return False
        # a relative epsilon takes its measure from all of the sum
        return not (self.rule and self.rule.parameters.get("relative", False))

    @property
    def label(self) -> str:
        """Its operations, as plans and ledgers show them."""
        return " + ".join(node.operation for node in self.nodes)


@dataclass(frozen=True)
class Plan:
    """Every operation of a model, its rule, and why. Print it to read it.

    recipe   as it was fitted to the model: "auto" has chosen
    sources  value at which relevance is taken -> name of the input that it stands for
    forms    value -> form in which relevance arrives there
    """

    graph: Graph
    recipe: Recipe
    steps: tuple[Step, ...]
    sources: Mapping[str, str]
    forms: Mapping[str, Form]

    def __str__(self) -> str:
        rows = [_describe(step, self.sources) for step in self.steps if step.node.shape]
        table = [("module", "operation", "rule", "why", "notes"), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[4]])
            for row in table
        ]
        return "\n".join([f"plan of recipe {self.recipe.name}", *(line.rstrip() for line in lines)])


def _describe(step: Step, sources: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    facts = [
        "constant" if step.principle is None and step.name not in sources else "",
        "input >= 0" if step.rule and step.nonnegative else "",
        "only output > 0" if step.rule and step.rectified else "",
        "carries relevance itself" if step.arriving is Form.RELEVANCE else "",
        f'folded "{step.batch_norm.module}"' if step.batch_norm else "",
    ]
    rule = str(step.rule) if step.rule else "-"
    return step.node.module, step.label, rule, step.why, "; ".join(f for f in facts if f)
