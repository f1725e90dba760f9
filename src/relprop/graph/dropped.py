"""Paths that are dropped: where a value stops to depend on the explained input, but is added on.

A comparison, an argmax or a cast to integers has no derivative, and what is computed from it is a
constant to relevance. As a gate, a mask or an index this loses nothing, as at a ReLU. As a term of
a sum it does: the spikes of a spiking net, say. Takes a graph and what is known of its values; must
not know recipes or rules.
"""

from collections.abc import Container, Mapping
from typing import Any

from .ir import Graph, Node, refs
from .ops import SHAPES_ONLY

# Operation -> arguments whose entries are terms of the result, or copied into it; all others are
# factors, conditions and indices. A condition chooses among values and is none itself: the 1 of
# where(h > 1, 1, relu(h)) is a constant, and the ledger books it as one. To say that a path ends at
# h > 1 would help nobody: the comparison stays a boolean there, so that no rule could pass it.
_TERMS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("add", "sub", "rsub", "maximum", "minimum", "lerp"), (0, 1)),
    **dict.fromkeys(("cat", "stack", "addmm", "baddbmm", "addcmul"), (0,)),
    **dict.fromkeys(("slice_scatter", "select_scatter"), (0, 1)),
    **dict.fromkeys(("index_put", "masked_scatter"), (0, 2)),
    **dict.fromkeys(("index_add", "index_copy"), (0, 3)),
    **dict.fromkeys(("scatter", "scatter_add", "scatter_reduce"), (0, 3)),
    "where": (1, 2),
    "masked_fill": (2,),
    "linear": (2,),
}
MASKS_FROM = 1e4  # numbers as large as this are added to scores to mask them


def dropped_paths(
    graph: Graph, dependent: Container[str], reached: Container[str], held: Container[str]
) -> tuple[Node, ...]:
    """Find the operations at which the dependence on the explained input ends, to be added later.

    Args:
        graph: The graph.
        dependent: Values that depend on the explained input.
        reached: Values at which relevance arrives.
        held: Values that the recipe holds constant on purpose.

    Returns:
        The operations, in the order in which they run.
    """
    ends = _ends(graph, dependent, held)
    found: dict[str, None] = {}
    for node in graph.nodes:
        if node.name in dependent and node.name in reached:
            terms = (node.args[i] for i in _TERMS.get(node.operation, ()) if i < len(node.args))
            found.update((end, None) for ref in refs(list(terms)) for end in ends.get(ref.name, ()))
    if graph.output not in dependent:
        found.update(dict.fromkeys(ends.get(graph.output, ())))
    return tuple(node for node in graph.nodes if node.name in found)


def _ends(
    graph: Graph, dependent: Container[str], held: Container[str]
) -> dict[str, tuple[str, ...]]:
    """Map values that are constant to relevance to the operations where their dependence ended."""
    ends: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        constant = node.held or node.name in held or node.operation in SHAPES_ONLY
        if constant or node.name in dependent:
            continue
        if not node.floating and any(name in dependent for name in node.inputs):
            ends[node.name] = (node.name,)
        elif not _fills_a_mask(node.args):
            before = (end for name in node.inputs for end in ends.get(name, ()))
            ends[node.name] = tuple(dict.fromkeys(before))
    return ends


def _fills_a_mask(args: Any) -> bool:
    """Tell whether a number among arguments is as large as those that mask scores."""
    return any(isinstance(arg, float) and abs(arg) >= MASKS_FROM for arg in args)
