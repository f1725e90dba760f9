"""Reads what a softmax that is written out divides by: a sum of exponentials, or nearly so.

    sum(e)        norm(e, p=1)        sum(e) + epsilon        clamp(sum(e), min=epsilon)

All of them with views; for a product, one over them. A number above 1e-3 that is added is no
stabiliser: e / (sum(e) + 1) is another function. Must not know what the exponentials are of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..graph.ir import Node, Ref
from .rewriting import Rewriting, computed, is_view

_LARGEST_STABILISER = 1e-3
_NORMS = ("linalg_vector_norm", "norm")


@dataclass(frozen=True)
class Divisor:
    """A sum of exponentials, with or without a stabiliser.

    Attributes:
        exponentials: The node whose entries are summed.
        dims: The dimensions that are summed over, adjacent and in order.
        total: The node that sums.
        stabilised: The node that adds a stabiliser to the sum, or bounds it; None for neither.
        views: Views that are taken of the stabilised sum, in the order of running.
    """

    exponentials: Node
    dims: tuple[int, ...]
    total: Node
    stabilised: Node | None = None
    views: tuple[Node, ...] = ()

    def kept(self) -> tuple[int | None, ...]:
        """Return the shape of the sum where it keeps the dimensions that are summed over."""
        shape = self.exponentials.shape
        return tuple(1 if dim in self.dims else size for dim, size in enumerate(shape))


def read_divisor(value: object, graph: Rewriting, inverted: bool) -> Divisor | None:
    """Read a value as a divisor, or as one over a divisor where `inverted`; None if it is none."""
    node, stabilised, views = graph.of(value), None, list[Node]()
    while node is not None and node.args:
        if is_view(node):
            views += [] if stabilised else [node]
        elif inverted and _is_inverse(node):
            inverted = False
        elif not inverted and stabilised is None and _is_stabilised(node):
            stabilised = node
        elif not _is_copy(node):
            break
        node = graph.of(node.args[0])
    total = None if node is None or inverted else read_total(node, graph)
    return replace(total, stabilised=stabilised, views=tuple(views[::-1])) if total else None


def read_total(node: Node, graph: Rewriting) -> Divisor | None:
    """Read a node as a sum over some dimensions, but the first, without a stabiliser."""
    args = node.args
    if node.operation in _NORMS and args[1:2] == (1,):
        args = (args[0], *args[2:])  # of exponentials, which are their own sizes
    elif node.operation != "sum":
        return None
    summed = graph.of(args[0]) if args[1:] and not node.kwargs else None
    if summed is None:
        return None
    dims = sorted_dims(args[1], len(summed.shape))
    adjacent = dims == tuple(range(dims[0], dims[-1] + 1)) if dims else False
    fixed = all(summed.shape[dim] is not None for dim in dims)
    return Divisor(summed, dims, node) if adjacent and fixed else None


def sorted_dims(dims: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return dimensions as they count from the first, in order."""
    listed = [dims] if isinstance(dims, int) else dims or ()
    return tuple(sorted(dim % ndim for dim in listed))


def share_of_sum(divisor: Divisor, prefix: str) -> list[Node]:
    """Write the share of the sum S in the stabilised one, S / (S + epsilon), with its views.

    The last node lines up with whatever was divided. All are held constant, as is what a
    normalisation divides by.
    """
    stabilised = divisor.stabilised
    assert stabilised is not None
    args, div = (stabilised.args[0], Ref(stabilised.name)), torch.ops.aten.div.Tensor
    nodes = [computed(f"{prefix}_share", div, args, stabilised, held=True)]
    for view in divisor.views:
        args = (Ref(nodes[-1].name), *view.args[1:])
        nodes.append(replace(view, name=f"{prefix}_{view.name}", args=args, held=True))
    return nodes


def fill_empty_rows(logits: Ref, divisor: Divisor, prefix: str) -> list[Node]:
    """Write logits with 0 in the rows whose exponentials are all 0.

    There the stabilised quotient is 0, and so is the share of the sum; a softmax of logits of -inf
    alone would be NaN.
    """
    aten, total, kept = torch.ops.aten, divisor.total, divisor.kept()
    summed = (Ref(divisor.exponentials.name), list(divisor.dims), True)
    again = computed(f"{prefix}_total", aten.sum.dim_IntList, summed, total, shape=kept)
    nodes = [] if total.shape == kept else [again]
    of = (Ref((nodes or [total])[0].name), 0)
    empty = computed(f"{prefix}_empty", aten.eq.Scalar, of, again, floating=False)
    filled = (logits, Ref(empty.name), 0.0)
    like, fill = divisor.exponentials, aten.masked_fill.Scalar
    return [*nodes, empty, computed(f"{prefix}_logits", fill, filled, like)]


def _is_inverse(node: Node) -> bool:
    return node.operation == "reciprocal" or (node.operation == "pow" and node.args[1] == -1)


def _is_copy(node: Node) -> bool:
    """Recognise x * 1, as torch writes 1 / x as reciprocal(x) * 1."""
    return node.operation == "mul" and isinstance(node.args[1], (int, float)) and node.args[1] == 1


def _is_stabilised(node: Node) -> bool:
    number, *others = node.args[1:] or [None]
    if not isinstance(number, (int, float)) or number > _LARGEST_STABILISER or node.kwargs:
        return False
    bounded = node.operation in ("clamp", "clamp_min") and others in ([], [None])
    return bounded or (node.operation == "add" and number >= 0)
