"""What can be known of a graph's values before it runs, found in one walk forward.

Takes a Graph. Knows operations, and nothing of recipes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .capture import Graph, Node, Ref
from .operations import kind, known

_CONVOLVES = ("convolution", "linear")


@dataclass(frozen=True)
class Facts:
    """Names of values of which something is known.

    dependent    they depend on the input
    nonnegative  they are >= 0 for every input
    first        weighted sums that come before all others (pooling does not count)
    folds        weighted sum -> the batch norm that folds into it
    folded       names of the batch norms that fold
    """

    dependent: frozenset[str]
    nonnegative: frozenset[str]
    first: frozenset[str]
    folds: Mapping[str, Node]
    folded: frozenset[str]


def find_facts(graph: Graph) -> Facts:
    """Walk the graph once."""
    dependent, nonnegative, weighed, first = {graph.input}, set[str](), set[str](), set[str]()
    for node in graph.nodes:
        if not node.floating or not dependent.intersection(node.inputs):
            continue  # a mask or an index that depends on the input is held as it is
        dependent.add(node.name)
        if _is_nonnegative(node, nonnegative):
            nonnegative.add(node.name)
        if kind(node) in _CONVOLVES and not weighed.intersection(node.inputs):
            first.add(node.name)
        if kind(node) in _CONVOLVES or weighed.intersection(node.inputs):
            weighed.add(node.name)
    folds = _folds(graph, dependent)
    norms = frozenset(norm.name for norm in folds.values())
    return Facts(frozenset(dependent), frozenset(nonnegative), frozenset(first), folds, norms)


def _is_nonnegative(node: Node, nonnegative: set[str]) -> bool:
    operation = known(node)
    if operation is None or operation.nonnegative == "never":
        return False
    return operation.nonnegative == "always" or nonnegative.issuperset(node.inputs)


def _folds(graph: Graph, dependent: set[str]) -> dict[str, Node]:
    """Batch norms whose input is a weighted sum that nothing else uses."""
    nodes = {node.name: node for node in graph.nodes}
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses[graph.output] += 1
    folds: dict[str, Node] = {}
    for norm in graph.nodes:
        before = _batch_normalised(norm, nodes, dependent)
        if before is not None and uses[before.name] == 1:
            folds[before.name] = norm
    return folds


def _batch_normalised(norm: Node, nodes: Mapping[str, Node], dependent: set[str]) -> Node | None:
    """The weighted sum that feeds a batch norm, if its output channels are the normalised ones."""
    if norm.operation != "batch_norm" or not isinstance(norm.args[0], Ref):
        return None
    if any(name in nodes for name in norm.inputs[1:]):
        return None  # its weight is computed, perhaps after the layer that it would fold into
    before = nodes.get(norm.args[0].name)
    if before is None or before.name not in dependent or kind(before) not in _CONVOLVES:
        return None
    return before if kind(before) == "convolution" or len(before.shape) == 2 else None
