"""Functions that squash the end of a model, and whose results relevance would misrepresent.

Takes a graph and which of its values depend on the input; gives the operation that squashes a
value. Must not know recipes or rules.
"""

from collections.abc import Iterator, Mapping, Sequence

from .final_functions import final_function
from .ir import Graph, Node, Ref
from .log_of_sum import takes_log_of_sum
from .ops import Operation, Principle, operation_of
from .probabilities import find_made_of_probabilities

_BOUNDED = frozenset(["atan", "sin"])  # beside those that the tables of operations call gates
_NORMS = frozenset(["linalg_vector_norm", "norm", "std", "sqrt"])
# What may stand between a norm and the division by it.
_BOUNDS = frozenset(["clamp", "clamp_min", "add", "expand", "expand_as", "unsqueeze", "view"])


def find_squashing(graph: Graph, dependent: set[str], name: str) -> tuple[Node, ...]:
    """Find what squashes a value: between the last layer and the value, no weights come after it.

    These are bounded functions, those with f(0) != 0, and divisions by a computed number that is no
    norm, if each entry of the value depends on one of their results; log-softmaxes written in a way
    that is not known. Of sigmoids and softmaxes also
    those that are added up, pooled, or multiplied with one another.

    Args:
        graph: The model's operations.
        dependent: Names of the values that depend on the model's input.
        name: The value.

    Returns:
        Operations, in the order in which they run.
    """
    made = find_made_of_probabilities(graph, dependent)
    found = _Walk({node.name: node for node in graph.nodes}, dependent, made).from_value(name)
    return tuple(node for node in graph.nodes if node.name in found)


class _Walk:
    """Goes back from a value, through all that is no layer, and no product of scores."""

    def __init__(self, nodes: Mapping[str, Node], dependent: set[str], made: set[str]) -> None:
        self._nodes = nodes
        self._dependent = dependent
        self._made = made  # values made of probabilities

    def from_value(self, name: str) -> set[str]:
        """Find the names of what squashes a value."""
        waiting, seen, found = [(name, True)], set[tuple[str, bool]](), set[str]()
        while waiting:
            name, entrywise = waiting.pop()  # whether entries of the end depend on one of it each
            node = self._nodes.get(name)
            if node is None or name not in self._dependent or (name, entrywise) in seen:
                continue
            seen.add((name, entrywise))
            if final_function(node, self._nodes) or (entrywise and self._squashes(node)):
                found.add(node.name)
            else:
                waiting += self._before(node, entrywise)
        return found

    def _before(self, node: Node, entrywise: bool) -> Iterator[tuple[str, bool]]:
        """List the values to go on with."""
        operation = operation_of(node)
        inputs = [name for name in node.inputs if name in self._dependent]
        if self._made.issuperset(inputs):
            ends = node.name not in self._made  # they are weighted to scores
        else:
            ends = operation is None or self._is_scores(node, operation, inputs, entrywise)
        if ends:
            return
        moves, alone = False, False
        if operation is not None:
            moves = operation.principle in (Principle.SELECTION, Principle.ACTIVATION)
            alone = operation.elementwise and len(inputs) == 1
        for name in inputs:
            yield name, entrywise and (moves or alone)

    def _is_scores(
        self, node: Node, operation: Operation, inputs: Sequence[str], entrywise: bool
    ) -> bool:
        """Tell whether the result of a layer, or of a product, counts as scores."""
        if operation.kind == "product" and entrywise:
            return len(inputs) > 1 or self._is_softcap(node)
        return operation.kind not in ("average-pool", None)

    def _squashes(self, node: Node) -> bool:
        operation = operation_of(node)
        if operation is None:
            return False
        if node.operation in ("add", "sub", "rsub"):
            return takes_log_of_sum(node, self._nodes, self._dependent)
        divisor = node.args[1] if node.operation == "div" else None
        if isinstance(divisor, Ref) and divisor.name in self._dependent:
            return not self._is_norm(divisor.name)
        bounded = operation.gate is not None or node.operation in _BOUNDED
        return operation.principle is Principle.ACTIVATION and (bounded or not operation.keeps_zero)

    def _is_norm(self, name: str) -> bool:
        """Tell whether a divisor is a norm, with a bound or a stabiliser."""
        node = self._nodes.get(name)
        while node is not None and node.operation in _BOUNDS:
            if any(isinstance(arg, Ref) and arg.name in self._dependent for arg in node.args[1:]):
                return False
            node = self._nodes.get(node.args[0].name)
        return node is not None and node.operation in _NORMS

    def _is_softcap(self, node: Node) -> bool:
        """Recognise a tanh(z / a), which caps logits and is z itself where these are small."""
        inner = [self._nodes.get(name) for name in node.inputs if name in self._dependent]
        if node.operation != "mul" or len(inner) != 1 or not inner[0]:
            return False
        scaled = self._nodes.get(inner[0].inputs[0]) if inner[0].operation == "tanh" else None
        return scaled is not None and scaled.operation == "div" and scaled.args[1] == node.args[1]
