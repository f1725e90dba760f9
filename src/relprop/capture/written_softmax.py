"""Finds softmaxes that a model's code writes out, and makes them the operation softmax.

    exp(k) / sum(exp(k))         sum(exp(k) v) / sum(exp(k))         exp(k) @ v / sum(exp(k))
    k - logsumexp(k)             k - (max(k) + log(sum(exp(k - max(k)))))     exp(log_softmax(k))

A softmax so written takes the softmax's rule, whatever operations spell it: what looks like one is
run on random numbers beside the operation, and replaced where both agree. The same is true of a
product with the reciprocal of the sum, of a sum with a stabiliser, which `softmax_divisor` reads,
and of exponentials with a mask, which `softmax_logits` reads. The graph gives the same numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from ..graph.ir import Graph, Node, Ref
from ..graph.ops import FACTORS
from .exponential_paths import PathStep, find_path, values_before
from .masks import Masks
from .rewriting import Rewriting, computed
from .softmax_divisor import Divisor, Summed, fill_empty_rows, read_divisor, read_sum, share_of_sum
from .softmax_logits import SoftmaxLogits, has_exponentials, read_logits
from .trial import agree, free_values
from .written_log_softmax import join_log_softmax

_PRODUCTS = ("mul", "einsum")  # with one over a sum


def join_softmax(graph: Graph, masks: Masks) -> Graph:
    """Replace each softmax or log-softmax that is written out by the one operation.

    Args:
        graph: The graph.
        masks: Finds the masks among its values, and runs parts of it on random numbers.
    """
    rewritten = Rewriting({node.name: node for node in graph.nodes}, [])
    for node in graph.nodes:
        for new in _softmax_in_place_of(node, rewritten, masks) or [node]:
            rewritten.add(new)
    if all(a is b for a, b in zip(rewritten.nodes, graph.nodes, strict=False)):
        return graph
    return replace(graph, nodes=tuple(_without_unread(rewritten.nodes, graph)))


def _softmax_in_place_of(node: Node, graph: Rewriting, masks: Masks) -> list[Node] | None:
    """Return the nodes that compute a node's result by a softmax; None if it is none."""
    joined = join_log_softmax(node, graph, masks.trial)
    if joined or node.kwargs or not node.floating:
        return joined
    # Where the divisor is: of a product, one of the factors is one over it.
    first, second = FACTORS.get(node.operation, (0, 1))
    inverted = node.operation in _PRODUCTS
    places = [(first, second), (second, first)] if inverted else [(0, 1)]
    fits = (inverted or node.operation == "div") and len(node.args) == second + 1
    for above, below in places if fits else ():
        divisor = read_divisor(node.args[below], graph, masks.trial, inverted)
        for quotient in _quotients(node, (above, below), divisor, graph) if divisor else ():
            joined = _join(quotient, graph, masks)
            if joined:
                return joined
    return None


@dataclass(frozen=True)
class _Quotient:
    """What may be a softmax: a sum of exponentials times other values, by the exponentials' sum.

    Attributes:
        node: The division, or the product with one over the sum.
        place: The position of the divisor, or of one over it.
        divisor: The divisor.
        exponentials: The node that both sides are computed from.
        path: The steps from it to what is divided.
        below: The steps from it to the divisor.
    """

    node: Node
    place: int
    divisor: Divisor
    exponentials: Node
    path: list[PathStep]
    below: list[PathStep]


def _quotients(
    node: Node, places: tuple[int, int], divisor: Divisor, graph: Rewriting
) -> Iterator[_Quotient]:
    """List the exponentials that a node may be a quotient of, the nearest to the divisor first."""
    total = Ref(divisor.total.name)
    for e in values_before(total, graph):
        below = find_path(total, e, graph) if e.floating and has_exponentials(e, graph) else None
        path = find_path(node.args[places[0]], e, graph) if below else None
        if path is not None and below:
            yield _Quotient(node, places[1], divisor, e, path, below)


def _join(quotient: _Quotient, graph: Rewriting, masks: Masks) -> list[Node] | None:
    """Write a quotient as a softmax, if it is one; else None."""
    node, trial, steps = quotient.node, masks.trial, (*quotient.path, *quotient.below)
    summed = read_sum(quotient.divisor.total, quotient.exponentials, graph, trial)
    if summed is None:
        return None
    logits = read_logits(quotient.exponentials, summed.dims, graph, masks, node.name)
    if logits is None:
        return None
    others = [arg for step in steps for i, arg in enumerate(step.node.args) if i != step.place]
    free = free_values(others, graph.by_name, trial.fixed)
    given = trial.draw(free, graph.copies(logits.before))
    want = trial.run(node.name, [*graph.nodes, node], given)
    for keeps_product in (False, True) if node.operation == "einsum" else (False,):
        written = _written(quotient, summed, logits, keeps_product)
        if agree(want, trial.run(node.name, [*graph.nodes, *written], given)):
            return written
    return None


def _written(
    quotient: _Quotient, summed: Summed, logits: SoftmaxLogits, keeps_product: bool
) -> list[Node]:
    """Write a softmax, what it is multiplied with, and what a stabiliser and a mean leave of it."""
    node, e, divisor = quotient.node, quotient.exponentials, quotient.divisor
    dims, name = summed.dims, node.name
    filled = fill_empty_rows(logits.ref, e, dims, divisor, name) if divisor.stabilised else []
    ref = Ref(filled[-1].name) if filled else logits.ref
    nodes = [*logits.added, *filled, *_over(ref, dims, e, f"{name}_weights")]
    nodes += _again(quotient.path, nodes[-1].name, name)
    nodes += _shared(quotient, Ref(nodes[-1].name), keeps_product)
    if summed.factor != 1:
        args = (Ref(nodes[-1].name), 1 / summed.factor)
        nodes.append(computed(f"{name}_scaled", torch.ops.aten.mul.Tensor, args, node))
    return [*nodes[:-1], replace(nodes[-1], name=name)]


def _shared(quotient: _Quotient, result: Ref, keeps_product: bool) -> list[Node]:
    """Write the product with the share of the sum, or with ones where there is no stabiliser."""
    node, place, aten = quotient.node, quotient.place, torch.ops.aten
    share = share_of_sum(quotient.divisor, node.name) if quotient.divisor.stabilised else []
    if not keeps_product:
        pairs = [(result, Ref(last.name)) for last in share[-1:]]
        return [*share, *(computed(f"{node.name}_shared", aten.mul.Tensor, p, node) for p in pairs)]
    ones = computed(
        f"{node.name}_ones", aten.ones_like.default, (Ref(node.args[place].name),), node
    )
    share = share or [ones]
    factors = [Ref(share[-1].name) if i == place else result for i in FACTORS[node.operation]]
    return [*share, replace(node, name=f"{node.name}_product", args=(node.args[0], *factors))]


def _over(logits: Ref, dims: tuple[int, ...], like: Node, name: str) -> list[Node]:
    """Write a softmax over these dimensions, as one of all their entries if there are several."""
    if len(dims) == 1:
        return [_call("softmax", logits, dims[0], replace(like, name=name))]
    first, last = dims[0], dims[-1]
    aten, soft = torch.ops.aten, f"{name}_softmax"
    shape = (*like.shape[:first], None, *like.shape[last + 1 :])
    args, sizes = (logits, first, last), [like.shape[dim] for dim in dims]
    flat = computed(f"{name}_flat", aten.flatten.using_ints, args, like, shape=shape)
    return [
        flat,
        _call("softmax", Ref(flat.name), first, replace(flat, name=soft)),
        computed(name, aten.unflatten.int, (Ref(soft), first, sizes), like),
    ]


def _call(operation: str, x: Ref, dim: int, like: Node) -> Node:
    return computed(like.name, getattr(torch.ops.aten, operation).int, (x, dim), like)


def _again(path: list[PathStep], weights: str, prefix: str) -> Iterator[Node]:
    """Write a path with a softmax in place of the exponentials."""
    before = weights
    for step, place in path:
        args = (*step.args[:place], Ref(before), *step.args[place + 1 :])
        before = f"{prefix}_{step.name}"
        yield replace(step, name=before, args=args)


def _without_unread(nodes: list[Node], before: Graph) -> list[Node]:
    """Leave out the nodes that were read before, and that no node reads any more."""
    read_before = {name for node in before.nodes for name in node.inputs}
    kept: list[Node] = []
    read = {before.output}
    for node in reversed(nodes):
        if node.name in read or node.name not in read_before:
            kept.insert(0, node)
            read.update(node.inputs)
    return kept
