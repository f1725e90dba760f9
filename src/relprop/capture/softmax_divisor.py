"""Reads what a softmax that is written out divides by: a sum of exponentials, or nearly so.

    sum(e)      mean(e)      e @ ones      norm(e, p=1)
    sum(e) + epsilon         clamp(sum(e), min=epsilon)         maximum(sum(e), epsilon)

All of them with views; for a product, one over them. A number above 1e-3 that is added is no
stabiliser: e / (sum(e) + 1) is another function. Must not know what the exponentials are of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ..graph.ir import Node, Ref
from .rewriting import Rewriting, computed, is_view
from .trial import Trial

_LARGEST_STABILISER = 1e-3


@dataclass(frozen=True)
class Divisor:
    """What is divided by: a total, with or without a stabiliser.

    Attributes:
        total: The node that computes it without the stabiliser.
        stabilised: The node that adds a stabiliser to the total, or bounds it; None for neither.
        views: Views that are taken of the stabilised total, in the order of running.
    """

    total: Node
    stabilised: Node | None = None
    views: tuple[Node, ...] = ()


class Summed(NamedTuple):
    """What a total adds up of some exponentials: a factor times their sum.

    Attributes:
        dims: The dimensions that are summed over, adjacent and in order.
        factor: The factor: 1 for a sum, 1 / n for a mean.
    """

    dims: tuple[int, ...]
    factor: float


def read_divisor(value: object, graph: Rewriting, trial: Trial, inverted: bool) -> Divisor | None:
    """Read a value as a divisor, or as one over a divisor where `inverted`; None if it is none."""
    node, stabilised, views = graph.of(value), None, list[Node]()
    while node is not None and node.args:
        if is_view(node):
            views += [] if stabilised else [node]
        elif inverted and is_inverse(node):
            inverted = False
        elif not inverted and stabilised is None and _is_stabilised(node, trial):
            stabilised = node
        elif not _is_copy(node):
            break
        node = graph.of(node.args[0])
    return None if node is None or inverted else Divisor(node, stabilised, tuple(views[::-1]))


def read_sum(total: Node, exponentials: Node, graph: Rewriting, trial: Trial) -> Summed | None:
    """Find what a total adds up of the exponentials, by its gradient; None for weighted sums."""
    e = trial.draw([exponentials.name])[exponentials.name].abs()
    with torch.enable_grad():
        given = {exponentials.name: e.requires_grad_()}
        first = trial.run(total.name, graph.nodes, given).reshape(-1)[0]
        if not first.requires_grad:
            return None
        (weights,) = torch.autograd.grad(first, e)
    at = weights.nonzero()
    dims = tuple(i for i, indices in enumerate(at.T) if len(indices.unique()) > 1)
    dims = dims or tuple(i for i, size in enumerate(e.shape) if i and size == 1)[-1:]
    fixed = all(exponentials.shape[dim] is not None for dim in dims)
    if not dims or not fixed or dims != tuple(range(dims[0], dims[-1] + 1)):
        return None
    used = weights[tuple(at.T)]
    summed = len(used) == torch.tensor([e.shape[dim] for dim in dims]).prod()
    alike = bool((used - used[0]).abs().max() <= 1e-3 * used[0].abs())
    return Summed(dims, _plain(float(used[0]))) if summed and alike else None


def _plain(factor: float) -> float:
    """Return n or 1 / n, without rounding, for a factor that is very near to one of them."""
    n = round(max(factor, 1 / factor)) if factor > 0 else 0
    near = n > 0 and abs(max(factor, 1 / factor) - n) < 1e-3 * n
    return (float(n) if factor >= 1 else 1 / n) if near else factor


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


def fill_empty_rows(
    logits: Ref, exponentials: Node, dims: tuple[int, ...], divisor: Divisor, prefix: str
) -> list[Node]:
    """Write logits with 0 in the rows whose exponentials are all 0.

    There the stabilised quotient is 0, and so is the share of the sum; a softmax of logits of -inf
    alone would be NaN.
    """
    aten, total = torch.ops.aten, divisor.total
    kept = tuple(1 if dim in dims else size for dim, size in enumerate(exponentials.shape))
    summed = (Ref(exponentials.name), list(dims), True)
    again = computed(f"{prefix}_total", aten.sum.dim_IntList, summed, total, shape=kept)
    nodes = [] if total.shape == kept else [again]
    of = (Ref((nodes or [total])[0].name), 0)
    empty = computed(f"{prefix}_empty", aten.eq.Scalar, of, again, floating=False)
    filled = (logits, Ref(empty.name), 0.0)
    fill = aten.masked_fill.Scalar
    return [*nodes, empty, computed(f"{prefix}_logits", fill, filled, exponentials)]


def is_inverse(node: Node) -> bool:
    """Tell whether a node computes one over its argument."""
    return node.operation == "reciprocal" or (node.operation == "pow" and node.args[1] == -1)


def _is_copy(node: Node) -> bool:
    """Recognise x * 1, as torch writes 1 / x as reciprocal(x) * 1."""
    return node.operation == "mul" and isinstance(node.args[1], (int, float)) and node.args[1] == 1


def _is_stabilised(node: Node, trial: Trial) -> bool:
    number, *others = node.args[1:] or [None]
    if isinstance(number, Ref) and number.name in trial.fixed:
        held = trial.computed[number.name]
        number = held.item() if isinstance(held, Tensor) and held.numel() == 1 else None
    if not isinstance(number, (int, float)) or number > _LARGEST_STABILISER or node.kwargs:
        return False
    bounded = node.operation in ("clamp", "clamp_min", "maximum") and others in ([], [None])
    return bounded or (node.operation == "add" and number >= 0)
