"""Checks what a saved graph says of its own values, and what no run of its output would show.

Takes the graph and its values for a batch; raises FileError. Must not know files.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..graph.analysis import analyse_graph
from ..graph.ir import Graph, Node, Ref
from ..graph.named_operations import invalid_plan
from .rewriting import is_view

_STABILISES = ("add", "clamp", "clamp_min")


def check_flags(graph: Graph, values: Mapping[str, Any]) -> None:
    """Refuse nodes whose flags are not those of a capture: relevance would pass by other ways.

    Args:
        graph: A graph from a file.
        values: Its values for any batch, by name.

    Raises:
        FileError: A node is not `floating` as its value is, or not `held` where a softmax that the
            model writes out has the parts that are.
    """
    held = _held_names(graph)
    for node in graph.nodes:
        value = values[node.name]
        real = isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())
        for flag, right in (("floating", real), ("held", node.name in held)):
            if getattr(node, flag) != right:
                raise invalid_plan(f"{flag} = {not right} at {node.where}, which is {right}")


def _held_names(graph: Graph) -> set[str]:
    """Find the values that a capture holds constant, by the names and forms that it gives them."""
    nodes = {node.name: node for node in graph.nodes}
    plain = tuple(replace(node, held=False) for node in graph.nodes)
    dependent = analyse_graph(replace(graph, nodes=plain)).dependent
    shares, logarithms = set[str](), set[str]()
    for node in graph.nodes:
        inner = node.args[0].name if node.args and isinstance(node.args[0], Ref) else ""
        if _is_share(node, nodes) or (inner in shares and is_view(node)):
            shares.add(node.name)
        if node.operation == "log" and node.name.endswith("_log") and inner not in dependent:
            logarithms.add(node.name)
    return shares | logarithms


def _is_share(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Recognise S / (S + epsilon), the share that the stabiliser of a softmax leaves."""
    if node.operation != "div" or not node.name.endswith("_share") or len(node.args) != 2:
        return False
    below = nodes.get(node.args[1].name) if isinstance(node.args[1], Ref) else None
    stabilised = below is not None and below.operation in _STABILISES
    return below is not None and stabilised and below.args[0] == node.args[0]
