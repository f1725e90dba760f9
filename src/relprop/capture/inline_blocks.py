"""Puts the operations of `with` blocks of an exported program into their place.

torch.export makes a graph of its own of each block that changes a mode, such as torch.no_grad().
Takes and changes a graph of torch.fx.
"""

from typing import Any, NamedTuple

import torch
from torch.fx import Graph, GraphModule, Node


class _Block(NamedTuple):
    """Operations of a `with` block in an export: their module, the node that names it, inputs."""

    module: GraphModule
    held: Node
    inputs: tuple[Any, ...]


def inline_blocks(graph: Graph) -> None:
    """Put the operations of `with torch.no_grad()` blocks into their place; relevance passes all.

    Those of `with torch.autocast(..., enabled=False)` likewise: captures run without autocast. A
    block whose result is the model's, or that holds tensors of its own, is left as it is.
    """
    (output,) = graph.find_nodes(op="output")
    for node in operation_calls(graph):
        block = _mode_block(node)
        if block is None:
            continue
        inline_blocks(block.module.graph)
        users = set(node.users)
        holds = bool(block.module.graph.find_nodes(op="get_attr"))
        if holds or any(output in user.users for user in users):
            continue
        results = _copy_before(node, block)
        for user in users:
            which: Any = user.args[1]  # of the results
            user.replace_all_uses_with(results[which])
            graph.erase_node(user)
        graph.erase_node(node)
        if not block.held.users:
            graph.erase_node(block.held)


def _copy_before(node: Node, block: _Block) -> list[Node]:
    """Copy the operations of a block before the node that calls it; return its results."""
    inner = block.module.graph
    copies = dict(zip(inner.find_nodes(op="placeholder"), block.inputs, strict=True))
    with node.graph.inserting_before(node):
        for call in operation_calls(inner):
            copies[call] = node.graph.node_copy(call, copies.__getitem__)
    (output,) = inner.find_nodes(op="output")
    return [copies[result] for result in output.args[0]]


def operation_calls(graph: Graph) -> list[Node]:
    """List the nodes of a graph that call an operation."""
    return [node for node in graph.nodes if node.op == "call_function"]


def _mode_block(node: Node) -> _Block | None:
    """Return the block of torch.no_grad(), or of an autocast that is off; None for other nodes."""
    wraps, at = torch.ops.higher_order, 1
    if node.target is wraps.wrap_with_autocast and node.args[2] is False:
        at = 4  # after the device, the dtype, whether it is on, and whether casts are cached
    elif node.target is not wraps.wrap_with_set_grad_enabled:
        return None
    held: Any = node.args[at]
    module = getattr(node.graph.owning_module, held.target)
    return _Block(module, held, node.args[at + 1 :])
