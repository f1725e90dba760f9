"""Channels: which dimension of a value they are, and masks that let some of them pass.

Takes a graph, a value and what the user chose. Knows nothing of relevance.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..graph.ir import Graph, Node, Ref
from ..graph.ops import OPERATIONS, Principle

_SECOND = frozenset({"batch_norm", "group_norm", "instance_norm", "pixel_shuffle"})
_LAST = frozenset({"embedding", "layer_norm", "rms_norm", "mm", "addmm"})
_SAME_PLACES = frozenset(
    {
        *("clone", "contiguous", "alias", "to", "_to_copy", "type_as", "where", "masked_fill"),
        *(
            "cat",
            "slice",
            "narrow",
            "flip",
            "roll",
            "index_select",
            "chunk",
            "pad",
            "constant_pad_nd",
        ),
    }
)


def channel_dimension(graph: Graph, name: str) -> int | None:
    """The dimension of a value that its channels are; None where that is not known.

    1 after convolutions and their like, the last one after linear layers and theirs.
    """
    node = graph.node(name)
    if node is None:
        return None
    made = _made_at(node)
    if made is None and _keeps_places(node):
        found = {_seen_from(node, graph, ref.name) for ref in _read(node)} - {None}
        made = found.pop() if len(found) == 1 else None
    return 1 if made is None and len(node.shape) == 2 else made


def _made_at(node: Node) -> int | None:
    operation = OPERATIONS.get(node.operation)
    kind = operation.kind if operation else None
    pooled = "_pool" in node.operation or node.operation.lstrip("_").startswith("upsample")
    if kind == "convolution" or pooled or node.operation in _SECOND:
        return 1
    if kind in ("linear", "attention", "recurrent") or node.operation in _LAST:
        return len(node.shape) - 1
    return None


def _keeps_places(node: Node) -> bool:
    operation = OPERATIONS.get(node.operation)
    entrywise = operation and (operation.elementwise or operation.principle is Principle.ACTIVATION)
    return bool(entrywise) or node.operation in (*_SAME_PLACES, "permute", "transpose")


def _read(node: Node) -> list[Ref]:
    items = (a for arg in node.args for a in (arg if isinstance(arg, (list, tuple)) else [arg]))
    return [item for item in items if isinstance(item, Ref)]


def _seen_from(node: Node, graph: Graph, name: str) -> int | None:
    """The channel dimension of an input, as a dimension of the node's result."""
    before = graph.node(name)
    if before is None or len(before.shape) != len(node.shape):
        return None
    dim, n = channel_dimension(graph, name), len(node.shape)
    if dim is None or node.operation not in ("permute", "transpose"):
        return dim
    order = list(range(n))
    if node.operation == "permute":
        order = [d % n for d in node.args[1]]
    else:
        a, b = node.args[1] % n, node.args[2] % n
        order[a], order[b] = b, a
    return order.index(dim)


def check_conditions(only: Any) -> Mapping[str, Any]:
    """What was given as `only`, if it is a mapping of globs; InputError if not."""
    todo = 'write only={"layer1": [0, 3]}'
    if only is not None and not isinstance(only, Mapping):
        raise InputError(f"only is {only!r}", "a mapping from modules to channels", todo)
    for key in only or ():
        if not isinstance(key, str):
            raise InputError(f"the module {key!r} in only", "a string, its dotted name", todo)
    return dict(only or {})


def channel_mask(value: Tensor, channels: Any, module: str, dim: int | None) -> Tensor:
    """1 at the chosen channels of a value, 0 elsewhere, of a shape that broadcasts to it.

    channels  an index, a list of them, or a mask of 0 and 1 that broadcasts to a sample
    dim       the dimension of the channels
    """
    if isinstance(channels, Tensor) and (
        channels.dtype is torch.bool or channels.is_floating_point()
    ):
        return _checked_mask(value, channels, module)
    if dim is None:
        raise InputError(
            f'channels of "{module}", whose output has shape {tuple(value.shape)}',
            "indices where it is known which dimension the channels are; a mask anywhere",
            f'write only={{"{module}": mask}}, a boolean tensor {tuple(value.shape[1:])}',
        )
    indices = _indices(channels, value.shape[dim], module)
    mask = torch.zeros(value.shape[dim], device=value.device)
    mask[indices.to(value.device)] = 1
    return mask.reshape(-1, *[1] * (value.ndim - 1 - dim))


def _indices(channels: Any, number: int, module: str) -> Tensor:
    try:
        given = isinstance(channels, Tensor)
        found = channels if given else torch.as_tensor(channels, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        found = torch.tensor([], device="cpu")
    wrong = found.is_floating_point() or found.dtype is torch.bool or found.ndim > 1
    if wrong or not found.numel() or bool(((found < 0) | (found >= number)).any()):
        raise InputError(
            f'the channels {channels!r} of "{module}"',
            f"indices from 0 to {number - 1}, or a mask of a sample's shape",
            f'write only={{"{module}": [0]}}',
        )
    return found.reshape(-1)


def _checked_mask(value: Tensor, mask: Tensor, module: str) -> Tensor:
    """The mask; one of fewer dimensions would broadcast along the wrong ones."""
    mask = mask.to(value.device)
    try:
        fits = mask.ndim >= value.ndim - 1 and bool(((mask == 0) | (mask == 1)).all())
        shown = mask.expand_as(value) if fits else None
    except RuntimeError:
        shown = None
    if shown is None:
        raise InputError(
            f'a mask of shape {tuple(mask.shape)} for the output of "{module}"',
            f"0 and 1, or booleans, of the shape of one sample: {tuple(value.shape[1:])}",
            "give the indices of channels",
        )
    return shown
