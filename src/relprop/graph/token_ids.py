"""Tokens: which id each entry is that an embedding looks up, after the model moved the ids about.

Ids may be moved, masked and padded before they are looked up. All of these are selections, linear
in the ids, and run as well on other numbers in their place. Masks and orders, which may depend on
the ids themselves, stay those of the real ids.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .ir import Graph, Node, Ref
from .ops import OPERATIONS, Principle

# They change the type of numbers alone, and what stands for ids may have a type of its own.
_CASTS = ("to", "_to_copy", "type_as")


def token_relevance(
    graph: Graph, source: str, ids: str, known: Mapping[str, Any], r: Tensor
) -> Tensor:
    """Relevance of each token, of the shape of the ids: what r (..., features) gives to it.

    source  name of the embedding's result, whose relevance r is      ids  name of their value
    known   the model's inputs and state
    What entries get that the model put in place of ids goes to no token.
    """
    lookup = graph.node(source)
    assert lookup is not None
    with torch.enable_grad():
        leaf = torch.zeros(known[ids].shape, dtype=r.dtype, device=r.device, requires_grad=True)
        looked_up = _in_place(graph, lookup, ids, known, leaf)
    if not looked_up.requires_grad:
        return leaf.detach()
    again = torch.is_grad_enabled()
    (found,) = torch.autograd.grad(looked_up, leaf, r.sum(-1), create_graph=again)
    return found


def token_samples(graph: Graph, lookup: Node, ids: str, known: Mapping[str, Any]) -> Tensor:
    """The sample of each entry that an embedding looks up; -1 for what is of no sample."""
    real = known[ids]
    numbers = torch.arange(1.0, len(real) + 1, dtype=torch.float64, device=real.device)
    numbers = numbers.reshape(-1, *[1] * (real.ndim - 1)).expand_as(real).contiguous()
    moved, rest = (
        _in_place(graph, lookup, ids, known, n) for n in (numbers, torch.zeros_like(numbers))
    )
    return _in_rows((moved - rest).long() - 1, len(real))


def _in_rows(samples: Tensor, batch: int) -> Tensor:
    """Entries of no sample, such as padding, given to that in whose row they are, if any."""
    for axis in range(samples.ndim):
        if samples.shape[axis] == batch:
            rows = torch.arange(batch, device=samples.device)
            rows = rows.reshape(-1, *[1] * (samples.ndim - axis - 1)).expand_as(samples)
            if bool(((samples == rows) | (samples < 0)).all()):
                return rows
    return samples


def _in_place(
    graph: Graph, lookup: Node, ids: str, known: Mapping[str, Any], numbers: Tensor
) -> Tensor:
    """What the embedding would look up, had the ids these numbers and all else its real values."""
    wanted = lookup.args[1].name
    real, moved = graph.compute(wanted, known), {ids: numbers}
    for node in graph.nodes_to_compute(wanted, known):
        places = [i for i in _places(node) if _names(node, i) in moved]
        if places and node.operation in _CASTS:
            moved[node.name] = moved[node.args[0].name]
        elif places:
            args = list(node.resolve_args(real))
            for i in places:
                args[i] = moved[node.args[i].name]
            moved[node.name] = node.target(*args, **node.resolve_kwargs(real))
    found: Tensor = moved.get(wanted, real[wanted])
    return found


def _names(node: Node, place: int) -> str | None:
    arg = node.args[place] if place < len(node.args) else None
    return arg.name if isinstance(arg, Ref) else None


def _places(node: Node) -> tuple[int, ...]:
    """Positions of the arguments that a selection of integers takes its entries from."""
    operation = OPERATIONS.get(node.operation)
    if node.floating or operation is None or operation.principle is not Principle.SELECTION:
        return ()
    return (1, 2) if node.operation == "where" else (0,)
