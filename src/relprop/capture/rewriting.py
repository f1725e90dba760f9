"""A graph while it is rewritten: the nodes so far, and which of them compute the same.

Takes nodes in the order in which they run. Must not know what they are rewritten to.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from ..graph.ir import Node, Ref
from ..support.torch_private import operation_name

_END = torch.iinfo(torch.int64).max  # of a slice that has none
# Operations that neither compute nor reorder entries, though they may add or merge dimensions.
_VIEWS = ("view", "reshape", "unsqueeze", "squeeze", "expand", "expand_as", "clone", "detach")


@dataclass(frozen=True)
class Rewriting:
    """The nodes by name, as they are so far, and those of the new graph in their order."""

    by_name: dict[str, Node]
    nodes: list[Node]

    def add(self, node: Node) -> None:
        """Append a node to the new graph."""
        self.by_name[node.name] = node
        self.nodes.append(node)

    def of(self, value: object) -> Node | None:
        """Return the node that computes a value; None for an input, a parameter or a number."""
        return self.by_name.get(value.name) if isinstance(value, Ref) else None

    def same(self, a: Node, b: Node, depth: int = 8) -> bool:
        """Tell whether two nodes compute the same, as where the code computes a value twice."""
        if a.name == b.name:
            return True
        alike = a.operation == b.operation and a.item == b.item and a.kwargs == b.kwargs
        if not alike or not depth or len(a.args) != len(b.args):
            return False
        pairs = [(self.of(x) or x, self.of(y) or y) for x, y in zip(a.args, b.args, strict=True)]
        return all(
            self.same(x, y, depth - 1) if isinstance(x, Node) and isinstance(y, Node) else x == y
            for x, y in pairs
        )

    def same_value(self, a: object, b: object) -> bool:
        """Tell whether two arguments are the same value."""
        x, y = self.of(a), self.of(b)
        return a == b if x is None or y is None else self.same(x, y)

    def copies(self, value: Ref) -> list[str]:
        """Name the values that are computed as this one is, itself among them."""
        return [value.name, *(n.name for n in self.nodes if self.same_value(Ref(n.name), value))]

    def without_views(self, value: object) -> Node | None:
        """Return the node that computes a value, before views of it were taken."""
        node = self.of(value)
        while node is not None and is_view(node):
            node = self.of(node.args[0])
        return node


def is_view(node: Node) -> bool:
    """Tell whether an operation only adds or merges dimensions, as [:, None] does by two."""
    whole = node.operation == "slice" and node.args[2:] in ((), (0,), (0, _END))
    return whole or node.operation in _VIEWS


def computed(name: str, target: Any, args: tuple[Any, ...], like: Node, **changes: Any) -> Node:
    """Write a node that runs an operation of torch; it has shape and module of another one."""
    known = operation_name(target)
    assert known is not None
    new = replace(like, name=name, operation=known.name, target=target, args=args)
    return replace(new, **{"kwargs": {}, "item": None, **changes})
