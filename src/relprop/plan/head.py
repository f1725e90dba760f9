"""Decides which value is explained: the output, or the logits before its sigmoid or softmax.

Takes a graph, what is known of it, and the recipe; gives the graph with its head. Raises a
PlanError for any other function that squashes the output, unless the recipe names it. A glob names
nothing: it selects the function together with others, and is most likely meant for these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import PlanError
from ..graph.analysis import GraphAnalysis
from ..graph.head import find_logits, with_logits
from ..graph.ir import Graph, Head, Node
from ..graph.squashing import find_squashing
from ..recipes.recipe import Recipe
from ..recipes.selectors import Location, Selector


@dataclass(frozen=True)
class HeadPlanner:
    """Decides the head of a model.

    Attributes:
        recipe: The recipe. A row that names the function at the end has the output explained.
        analysis: What is known of the graph's values.
        locations: Where each operation is in its model.
    """

    recipe: Recipe
    analysis: GraphAnalysis
    locations: Mapping[str, Location]

    def decide(self, graph: Graph) -> Graph:
        """Return the graph with its head. Raises PlanError for an output that is squashed."""
        logits = find_logits(graph, self.analysis.dependent)
        if logits is not None and not any(self._is_named(node) for node in logits.functions):
            for name in logits.origins:
                self._refuse_squashing(graph, name)
            return with_logits(graph, logits)
        squashed = self._refuse_squashing(graph, graph.output)
        kind = logits.kind if logits else "other" if squashed else "logits"
        named = " and ".join(dict.fromkeys(node.where for node in squashed))
        return replace(graph, head=Head(kind, named=named))

    def _is_named(self, node: Node) -> bool:
        """Tell whether a row gives this operation a rule, and names it or its module in full."""
        at = self.locations[node.name]
        return any(_names(row.selector, at) and row.matches(at) for row in self.recipe.rows)

    def _refuse_squashing(self, graph: Graph, name: str) -> tuple[Node, ...]:
        """Raise PlanError for what squashes a value and has no row; list what has."""
        found = find_squashing(graph, self.analysis.dependent, name)
        unnamed = [node for node in found if not self._is_named(node)]
        if not unnamed:
            return found
        rows = ").using(".join(dict.fromkeys(self._row(node) for node in unnamed))
        raise PlanError(
            f"the model ends with {unnamed[0].where}, which squashes its scores",
            "a model that ends in scores, or in one sigmoid or softmax of them",
            f"remove it, or to explain its results write {self.recipe.as_written}.using({rows})",
        )

    def _row(self, node: Node) -> str:
        """Write the row that has an operation's results explained."""
        rules = {"softmax": "taylor", "normalisation": "constant-statistics"}
        rule = rules.get(self.analysis.kinds.get(node.name) or "", "gradient")
        return f'{_selector(node)}, "{rule}"'


def _names(selector: Selector, at: Location) -> bool:
    return selector.name == at.module or selector.operation == at.operation


def _selector(node: Node) -> str:
    """Write a selector of this operation of its module alone."""
    if node.base and node.module:
        return f'"{node.module}"'
    return f'relprop.Selector(name="{node.module}", operation="{node.operation}")'
