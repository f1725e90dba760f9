"""The plan: what happens to the relevance at every operation, decided before anything runs.

Two frozen records that can be printed. `planner` makes them, `program` runs them.
"""

from dataclasses import dataclass

from .capture import Graph, Node
from .forms import Form
from .operations import Operation, Principle
from .recipe import Recipe
from .rulebook import Rule


@dataclass(frozen=True)
class Step:
    """One operation and what was decided for it.

    principle    what it does to relevance; None where its value does not depend on the input
    rule         of a weighted sum
    why          the row of the recipe, or the principle, that decided
    batch_norm   the batch norm that is folded into it
    relu         the ReLU that runs with it, so that its output is kept in place of the sum's
    name         of its value: that of the ReLU or of the batch norm, if there is one
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
    batch_norm: Node | None = None
    relu: Node | None = None
    elementwise: bool = False
    nonnegative: bool = False
    rectified: bool = False
    arriving: Form | None = None
    leaving: Form | None = None

    @property
    def name(self) -> str:
        """Name of the value that it makes."""
        return (self.relu or self.batch_norm or self.node).name


@dataclass(frozen=True)
class Plan:
    """Every operation of a model, its rule, and why. Print it to read it.

    dependent  names of the values that depend on the input
    """

    graph: Graph
    recipe: Recipe
    steps: tuple[Step, ...]
    dependent: frozenset[str]
    input_form: Form

    def __str__(self) -> str:
        rows = [_describe(step) for step in self.steps if step.node.shape]
        table = [("module", "operation", "rule", "why", "known"), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[4]])
            for row in table
        ]
        return "\n".join([f"plan of recipe {self.recipe.name}", *(line.rstrip() for line in lines)])


def _describe(step: Step) -> tuple[str, str, str, str, str]:
    operation = step.node.operation
    operation += " + batch_norm" if step.batch_norm else ""
    operation += " + relu" if step.relu else ""
    facts = [
        "constant" if step.principle is None else "",
        "input >= 0" if step.rule and step.nonnegative else "",
        "only output > 0" if step.rule and step.rectified else "",
        "carries relevance itself" if step.arriving is Form.RELEVANCE else "",
        f'folded "{step.batch_norm.module}"' if step.batch_norm else "",
    ]
    rule = str(step.rule) if step.rule else "-"
    return step.node.module, operation, rule, step.why, "; ".join(f for f in facts if f)
