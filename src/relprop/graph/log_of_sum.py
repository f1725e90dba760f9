"""Finds a value minus the logarithm of a sum of its own exponentials: a log-softmax, or nearly so.

A log-softmax that is recognised is one operation since the capture: what is found here was not.
Takes the node of a sum or a difference. Must not know recipes or rules.
"""

from collections.abc import Iterator, Mapping, Set

from .ir import Node, Ref, refs
from .ops import Principle, operation_of

_TERMS = frozenset(["add", "sub", "rsub", "neg", "mul", "clamp", "clamp_min"])
_SUMS = frozenset(
    {
        *("sum", "mean", "cumsum", "matmul", "mm", "mv", "bmm", "einsum", "linear"),
        *("linalg_vector_norm", "norm"),
    }
)


def takes_log_of_sum(node: Node, nodes: Mapping[str, Node], dependent: Set[str]) -> bool:
    """Tell whether one term is the logarithm of a sum of exponentials of the other one.

    Args:
        node: Adds or subtracts.
        nodes: All nodes of its graph by name.
        dependent: Names of the values that depend on the model's input.
    """
    terms = [arg.name for arg in node.args if isinstance(arg, Ref) and arg.name in dependent]
    if len(terms) != 2:
        return False
    search = _Search(nodes, dependent)
    pairs = (terms, terms[::-1])
    return any(not search.exponents(a).isdisjoint(search.terms(b)) for a, b in pairs)


class _Search:
    def __init__(self, nodes: Mapping[str, Node], dependent: Set[str]) -> None:
        self._nodes = nodes
        self._dependent = dependent

    def terms(self, name: str, through: Set[str] = _TERMS) -> set[str]:
        """Name a value and those that it adds up, but no maximum or mean of them."""
        waiting, seen, found = [name], set[str](), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self._dependent:
                continue
            seen.add(name)
            node = self._nodes.get(name)
            operation = operation_of(node) if node else None
            is_log = node is not None and node.operation == "logsumexp"
            if is_log or through is not _TERMS or operation is None or not operation.reduces:
                found.add(name)
            moves = operation is not None and operation.principle is Principle.SELECTION
            if node and (moves or node.operation in through):
                waiting += [ref.name for ref in refs(node.args)]
        return found

    def exponents(self, name: str) -> set[str]:
        """Name the terms of values whose exponentials are added up under a logarithm."""
        found = set[str]()
        for node in self._computing(self.terms(name)):
            if node.operation == "logsumexp":
                found |= self.terms(node.args[0].name)
            if node.operation == "log":
                inside = list(self._computing(self.terms(node.args[0].name, _TERMS | _SUMS)))
                sums = any(one.operation in _SUMS for one in inside)
                for one in inside if sums else ():
                    found |= self.terms(one.args[0].name) if one.operation == "exp" else set()
        return found

    def _computing(self, names: Set[str]) -> Iterator[Node]:
        return (self._nodes[name] for name in names if name in self._nodes)
