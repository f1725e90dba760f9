"""Finds the positions along a dimension that an operation takes of its argument: x[:, 0], x[:, -1].

Takes nodes and shapes. Gives positions. Must not know what is done about the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .ir import Node, Ref
from .prune_rules import Shapes

TO_THE_END = 2**63 - 1  # what torch.export writes for x[start:]


@dataclass(frozen=True)
class Positions:
    """Some positions along one dimension of a value.

    Attributes:
        dim: The dimension.
        positions: The positions, the same for all samples, below 0 where they are counted from the
            end; a range of length 1 if there is an `index`.
        index: Name of the value (batch,) that holds one position for each sample; None for none.
    """

    dim: int
    positions: range = range(1)
    index: str | None = None


def is_batch_first(name: str, nodes: Mapping[str, Node], shapes: Shapes) -> bool:
    """Tell whether the first dimension runs over samples, and over nothing else.

    Args:
        name: A value.
        nodes: All nodes, by name.
        shapes: Shapes of all values, with None where a size follows the batch size.
    """
    shape, merged = shapes[name], name in nodes and nodes[name].merged
    return shape[:1] == (None,) and None not in shape[1:] and not merged


def positions_taken(
    node: Node, nodes: Mapping[str, Node], shapes: Shapes, opened: bool
) -> dict[str, Positions | None]:
    """Find the positions that a node takes of its first argument, if it takes few of them.

    Args:
        node: The node.
        nodes: All nodes, by name.
        shapes: Shapes of all values, with None where a size follows the batch size.
        opened: Whether the positions must be the same ones where other sizes are larger or smaller.

    Returns:
        The argument's name -> positions; nothing where all are taken.
    """
    if node.operation not in TAKES or not isinstance(node.args[0], Ref) or node.kwargs:
        return {}
    at = TAKES[node.operation](node, nodes, shapes, opened)
    return {node.args[0].name: at} if at else {}


def _taken_by_select(
    node: Node, nodes: Mapping[str, Node], shapes: Shapes, opened: bool
) -> Positions | None:
    x, dim, index = node.args
    shape = shapes[x.name]
    size = shape[dim]
    if size is None or size < 2 or not isinstance(index, int):
        return None
    return Positions(dim % len(shape), range(index, index + 1))


def _taken_by_slice(
    node: Node, nodes: Mapping[str, Node], shapes: Shapes, opened: bool
) -> Positions | None:
    (x, *args), defaults = node.args, [0, None, None, 1]
    dim, start, end, step = args + defaults[len(args) :]
    shape = shapes[x.name]
    size = shape[dim]
    if size is None or any(isinstance(bound, Ref) for bound in (start, end)):
        return None
    bounds = start or 0, TO_THE_END if end is None else end
    if opened and not _counts_from_one_end(size, *bounds):
        return None
    positions = _sliced(size, *bounds, step)
    # More than half of the positions would hardly be worth the slices that are inserted.
    return Positions(dim % len(shape), positions) if 0 < 2 * len(positions) <= size else None


def _sliced(size: int, start: int, end: int, step: int) -> range:
    """Return the positions of a slice, counted from the end where both of its bounds are."""
    if _counts_from_one_end(size, start, end) and start < 0:
        return range(start, min(end, 0) if end < size else 0, step)
    return range(size)[start:end:step]


def _counts_from_one_end(size: int, start: int, end: int) -> bool:
    """Tell whether a slice takes the same positions, from one end, of values of other sizes."""
    return (start < 0 and (end < 0 or end >= size)) or 0 <= start <= end <= size


def _taken_by_index(
    node: Node, nodes: Mapping[str, Node], shapes: Shapes, opened: bool
) -> Positions | None:
    """Recognise x[torch.arange(batch), index], with which models read each text's last token."""
    x, indices = node.args
    if len(indices) != 2 or None in indices or shapes[x.name][1] in (None, 1):
        return None
    samples, index = (ref.name for ref in indices)
    per_sample = all(is_batch_first(name, nodes, shapes) for name in (x.name, samples, index))
    counts = _is_arange(nodes.get(samples)) and len(shapes[index]) == 1
    return Positions(1, index=index) if per_sample and counts else None


def _is_arange(node: Node | None) -> bool:
    """Tell whether a node is torch.arange(n)."""
    return node is not None and node.operation == "arange" and node.args[:-1] in ((), (0,))


TAKES = {"select": _taken_by_select, "slice": _taken_by_slice, "index": _taken_by_index}
