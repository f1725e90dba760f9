"""Token ids: where an embedding's relevance goes after the model moved the ids about.

A model may slice, mask, pad or reorder the ids before it looks them up. All of these are selections
and linear in the ids, so that they run as well on other numbers in place of the ids: on zeros whose
gradient is the relevance, or on the number of the sample that an id belongs to. Masks and orders,
which may depend on the ids themselves, stay those of the real ids.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .ir import Graph, Node, Ref
from .ops import OPERATIONS, Principle

# These change only the dtype; the numbers that stand in for ids have a dtype of their own.
_CASTS = ("to", "_to_copy", "type_as")


def token_relevance(
    graph: Graph, source: str, ids: str, known: Mapping[str, Any], r: Tensor
) -> Tensor:
    """Sum an embedding's relevance over features, and assign it to the token ids.

    Args:
        graph: The graph.
        source: Name of the embedding's result.
        ids: Name of the input that holds the ids.
        known: The model's inputs, state and constants, by value name.
        r: Relevance of the embedding's result, (..., features).

    Returns:
        Relevance of each token, shaped like the ids. Relevance of entries that the model put in
        place of ids, such as padding or a separator, belongs to no token and is left out.
    """
    lookup = graph.node(source)
    assert lookup is not None
    if lookup.args[1] == Ref(ids):
        return r.sum(-1)
    # The relevance of an id is the sum of what all entries that are copies of it received: the VJP
    # of the operations that moved it.
    with torch.enable_grad():
        leaf = torch.zeros(known[ids].shape, dtype=r.dtype, device=r.device, requires_grad=True)
        looked_up = _lookup_index(graph, lookup, ids, known, leaf)
    if not looked_up.requires_grad:
        return leaf.detach()
    create_graph = torch.is_grad_enabled()
    (relevance,) = torch.autograd.grad(looked_up, leaf, r.sum(-1), create_graph=create_graph)
    return relevance


def token_samples(graph: Graph, lookup: Node, ids: str, known: Mapping[str, Any]) -> Tensor:
    """Find the sample that each entry which an embedding looks up belongs to.

    Returns:
        Index of the sample, shaped like the lookup's indices; -1 for entries of no sample.
    """
    real = known[ids]
    numbers = torch.arange(1.0, len(real) + 1, dtype=torch.float64, device=real.device)
    numbers = numbers.reshape(-1, *[1] * (real.ndim - 1)).expand_as(real).contiguous()
    # What the model puts in place of ids, such as padding, is the same in both runs.
    moved, filled = (
        _lookup_index(graph, lookup, ids, known, n) for n in (numbers, torch.zeros_like(numbers))
    )
    return _fill_rows((moved - filled).long() - 1, len(real))


def _fill_rows(samples: Tensor, batch: int) -> Tensor:
    """Assign entries of no sample, such as padding, to the sample whose row they are in, if any."""
    for axis in range(samples.ndim):
        if samples.shape[axis] == batch:
            rows = torch.arange(batch, device=samples.device)
            rows = rows.reshape(-1, *[1] * (samples.ndim - axis - 1)).expand_as(samples)
            if bool(((samples == rows) | (samples < 0)).all()):
                return rows
    return samples


def _lookup_index(
    graph: Graph, lookup: Node, ids: str, known: Mapping[str, Any], numbers: Tensor
) -> Tensor:
    """Compute what the embedding would look up, with `numbers` in place of the ids.

    All other values, such as masks computed from the ids, stay as they are.
    """
    index = lookup.args[1].name
    real, moved = graph.compute(index, known), {ids: numbers}
    for node in graph.nodes_to_compute(index, known):
        copied = [i for i in _copied_args(node) if _name_at(node, i) in moved]
        if copied and node.operation in _CASTS:
            moved[node.name] = moved[node.args[0].name]
        elif copied:
            args = list(node.resolve_args(real))
            for i in copied:
                args[i] = moved[node.args[i].name]
            moved[node.name] = node.target(*args, **node.resolve_kwargs(real))
    looked_up: Tensor = moved.get(index, real[index])
    return looked_up


def _name_at(node: Node, i: int) -> str | None:
    arg = node.args[i] if i < len(node.args) else None
    return arg.name if isinstance(arg, Ref) else None


def _copied_args(node: Node) -> tuple[int, ...]:
    """List the arguments whose entries a selection of integers copies, by index."""
    operation = OPERATIONS.get(node.operation)
    if node.floating or operation is None or operation.principle is not Principle.SELECTION:
        return ()
    return (1, 2) if node.operation == "where" else (0,)
