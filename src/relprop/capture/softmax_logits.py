"""Reads the logits k of which values are the exponentials, up to one factor for each row.

exp(k)      exp(k - max(k))      softmax(k)
"""

from ..graph.ir import Node, Ref
from .rewriting import Rewriting
from .softmax_divisor import sorted_dims


def read_logits(node: Node, dims: tuple[int, ...], graph: Rewriting) -> Ref | None:
    """Read a node as exponentials, whose rows run over some dimensions; None if it is none."""
    if node.operation == "exp":
        return without_maximum(node.args[0], dims, graph)
    if node.operation == "softmax" and len(node.args) == 2 and not node.kwargs:
        logits: Ref = node.args[0]
        return logits if sorted_dims(node.args[1], len(node.shape)) == dims else None
    return None


def without_maximum(logits: Ref, dims: tuple[int, ...], graph: Rewriting) -> Ref:
    """Leave out what is subtracted from all entries of a softmax alike, to avoid overflow."""
    node = graph.of(logits)
    if node is None or node.operation != "sub" or node.kwargs:
        return logits
    x, subtracted = node.args
    statistic, before = graph.of(subtracted), graph.without_views(x)
    alike = statistic is not None and all(
        len(statistic.shape) == len(node.shape) and statistic.shape[dim] == 1 for dim in dims
    )
    same_shape = before is None or graph.of(x) is None or graph.of(x).shape == node.shape  # type: ignore[union-attr]
    return x if alike and same_shape and isinstance(x, Ref) else logits
