"""Quotients that look like a softmax, and stayed quotients: exponentials reach both sides by sums.

What the code writes as a softmax is one operation since the capture. What is left here was not
recognised, or is another function. Its divisor is then held constant as that of a normalisation,
so that relevance of the exponentials may be many times what the softmax's own rule gives. Takes a
graph and which of its values depend on the input. Must not know recipes or rules.
"""

from collections.abc import Container, Iterator, Mapping

from .ir import Graph, Node, Ref, refs
from .ops import Principle, operation_of

_SUMS = frozenset(
    {*("sum", "mean", "cumsum"), *("matmul", "bmm", "mm", "mv", "einsum", "linear", "tensordot")}
)
# What a sum of exponentials may pass on either side beside views and selections.
_PASSED = frozenset(
    {
        *("add", "sub", "mul", "maximum", "clamp", "clamp_min", "baddbmm", "addmm"),
        *("index_add", "scatter_add"),
    }
)
_PRODUCTS = frozenset(["mul", "matmul", "bmm", "einsum"])


def find_unread_softmaxes(graph: Graph, dependent: Container[str]) -> tuple[Node, ...]:
    """Find the quotients, and products with a reciprocal, of which both sides sum exponentials.

    Args:
        graph: The graph.
        dependent: Values that depend on the explained input.

    Returns:
        The operations, in the order in which they run.
    """
    if not any(node.operation == "exp" for node in graph.nodes):
        return ()
    search = _Search({node.name: node for node in graph.nodes}, dependent, _values(graph))
    return tuple(node for node in graph.nodes if search.is_unread(node))


def _values(graph: Graph) -> Mapping[str, int]:
    """Give each result a number, the same one where the code computes a value twice."""
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}
    for node in graph.nodes:
        args = repr((node.operation, node.item, node.args, dict(node.kwargs)))
        for name in node.inputs:
            args = args.replace(repr(Ref(name)), f"<{numbers.get(name, name)}>")
        numbers[node.name] = known.setdefault(args, len(known))
    return numbers


class _Search:
    def __init__(
        self, nodes: Mapping[str, Node], dependent: Container[str], values: Mapping[str, int]
    ) -> None:
        self._nodes = nodes
        self._dependent = dependent
        self._values = values

    def is_unread(self, node: Node) -> bool:
        """Tell whether exponentials reach both sides of a quotient, of its divisor by a sum."""
        if node.name not in self._dependent or node.held:
            return False
        factors = [arg for arg in node.args if isinstance(arg, Ref) and arg.name in self._dependent]
        if len(factors) != 2:
            return False
        first, second = factors
        if node.operation == "div":
            return self._share(first, second)
        pairs = ((first, self._inverted(second)), (second, self._inverted(first)))
        product = node.operation in _PRODUCTS
        return product and any(below and self._share(above, below) for above, below in pairs)

    def _share(self, above: Ref, below: Ref) -> bool:
        summed = {value for value, by_sum in self._exponentials(below) if by_sum}
        return bool(summed) and not summed.isdisjoint(v for v, _ in self._exponentials(above))

    def _exponentials(self, value: Ref) -> Iterator[tuple[int, bool]]:
        """List the exponentials that a value is computed from, and whether some sum adds them."""
        waiting, seen = [(value.name, False)], set[tuple[str, bool]]()
        while waiting:
            name, by_sum = waiting.pop()
            node = self._nodes.get(name)
            if node is None or name not in self._dependent or (name, by_sum) in seen:
                continue
            seen.add((name, by_sum))
            if node.operation == "exp":
                yield self._values[name], by_sum
            elif _passes(node):
                sums = by_sum or node.operation in _SUMS
                waiting += [(ref.name, sums) for ref in refs(node.args)]

    def _inverted(self, value: Ref) -> Ref | None:
        """Find what a value is one over; None where it is not."""
        node = self._nodes.get(value.name)
        while node is not None:
            if node.operation == "reciprocal" or (node.operation, *node.args[1:]) == ("pow", -1):
                return node.args[0]  # type: ignore[no-any-return]
            alone = [ref for ref in refs(node.args) if ref.name in self._dependent]
            if len(alone) != 1 or not (_passes(node) or node.operation == "diag_embed"):
                return None
            node = self._nodes.get(alone[0].name)
        return None


def _passes(node: Node) -> bool:
    operation = operation_of(node)
    moves = operation is not None and operation.principle is Principle.SELECTION
    divides = node.operation == "div" and not isinstance(node.args[1], Ref)
    return moves or divides or node.operation in _SUMS | _PASSED
