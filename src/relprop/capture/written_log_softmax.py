"""Finds log-softmaxes that a model's code writes out, and makes them the operation.

    k - logsumexp(k)      k - m - log(sum(exp(k - m)))      k - (m + log(sum(exp(k - m))))

Also minus one of these, and the exponential of one. Takes the nodes before; a difference with the
logarithm of a sum of exponentials is run on random numbers beside the operation.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..graph.ir import Node, Ref
from .exponential_paths import find_path, values_before
from .rewriting import Rewriting, computed
from .softmax_divisor import read_sum, sorted_dims
from .softmax_logits import without_maximum
from .trial import Trial, agree, free_values

# Sums and differences -> the signs of their two terms.
_SIGNS = {"add": (1, 1), "sub": (1, -1), "rsub": (-1, 1)}


def join_log_softmax(node: Node, graph: Rewriting, trial: Trial) -> list[Node] | None:
    """Return the nodes that compute a node's result by a (log-)softmax; None if it is none."""
    before = graph.of(node.args[0]) if node.operation in ("exp", "neg") else None
    if before is not None and node.operation == "neg":  # minus minus one
        before = graph.of(before.args[0]) if before.operation == "neg" else None
    if before is not None and before.operation == "log_softmax" and len(before.args) == 2:
        return [_call("softmax" if node.operation == "exp" else "log_softmax", *before.args, node)]
    if node.operation not in _SIGNS or node.kwargs or not node.floating:
        return None
    for sign, log in _logarithms(Ref(node.name), graph):
        for x, dim in _logits(log, graph, trial):
            written = _written(node, sign, x, dim)
            if node.shape[dim] is not None and _compute_the_same(node, written, x, graph, trial):
                return written
    return None


def _logarithms(
    value: object, graph: Rewriting, sign: int = 1, depth: int = 6
) -> Iterator[tuple[int, Node]]:
    """List the logarithms among the terms that a value adds up, with the signs that they have."""
    node = graph.without_views(value)
    if node is None or not depth:
        return
    if node.operation in ("log", "logsumexp"):
        yield sign, node
    signs = (-1,) if node.operation == "neg" else _SIGNS.get(node.operation, ())
    for own, argument in zip(signs, node.args, strict=False):
        yield from _logarithms(argument, graph, sign * own, depth - 1)


def _logits(log: Node, graph: Rewriting, trial: Trial) -> Iterator[tuple[Ref, int]]:
    """List the values of whose exponentials a logarithm may be the sum, and along which dimension.

    With what is subtracted of all of them alike, and without.
    """
    for x, dims in _summed(log, graph, trial):
        if len(dims) == 1:
            yield from dict.fromkeys([(without_maximum(x, dims, graph), dims[0]), (x, dims[0])])


def _summed(log: Node, graph: Rewriting, trial: Trial) -> Iterator[tuple[Ref, tuple[int, ...]]]:
    x = log.args[0]
    if log.operation == "logsumexp":
        yield x, sorted_dims(log.args[1], trial.computed[x.name].ndim)
        return
    total = graph.without_views(x)
    for e in values_before(x, graph) if total else ():
        if total and e.operation == "exp" and find_path(Ref(total.name), e, graph):
            summed = read_sum(total, e, graph, trial)
            if summed and summed.factor == 1:
                yield e.args[0], summed.dims


def _written(node: Node, sign: int, x: Ref, dim: int) -> list[Node]:
    """Write a log-softmax; minus one, where the logarithm is added."""
    if sign < 0:
        return [_call("log_softmax", x, dim, node)]
    inner = _call("log_softmax", x, dim, replace(node, name=f"{node.name}_log_softmax"))
    args = (Ref(inner.name),)
    return [inner, computed(node.name, torch.ops.aten.neg.default, args, node)]


def _compute_the_same(
    node: Node, written: list[Node], x: Ref, graph: Rewriting, trial: Trial
) -> bool:
    """Tell whether a node and what is written for it agree on random numbers."""
    before = [*graph.nodes, node]
    copies = graph.copies(x)
    sides = trial.beside(node.name, before, set(copies))
    given = trial.draw(free_values(sides, graph.by_name, trial.fixed), copies)
    want = trial.run(node.name, before, given)
    return agree(want, trial.run(node.name, [*graph.nodes, *written], given))


def _call(operation: str, x: Ref, dim: int, like: Node) -> Node:
    return computed(like.name, getattr(torch.ops.aten, operation).int, (x, dim), like)
