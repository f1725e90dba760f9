"""Conditions on channels, as in Concept Relevance Propagation: the option, and its masks.

A condition names a module and the channels of its output that relevance may pass; see
Achtibat et al. 2023, "From attribution maps to human-understandable explanations through Concept
Relevance Propagation". Takes a graph, values and what the user wrote. Gives masks of 0 and 1.
Must not know relevance.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..graph.ir import Graph, Node, refs
from ..graph.ops import OPERATIONS, Principle

# Operations whose result has its channels in dimension 1, in the last dimension, or where its
# input has them. Convolutions, linear layers and activations are told by their kind.
CHANNELS_SECOND = frozenset({"batch_norm", "group_norm", "instance_norm", "pixel_shuffle"})
CHANNELS_LAST = frozenset({"embedding", "layer_norm", "rms_norm", "mm", "addmm"})
CHANNELS_OF_INPUT = frozenset(
    {
        *("clone", "contiguous", "alias", "to", "_to_copy", "type_as", "where", "masked_fill"),
        *("cat", "slice", "narrow", "flip", "roll", "index_select", "chunk", "pad"),
        *("constant_pad_nd", "permute", "transpose"),
    }
)


def channel_dimension(graph: Graph, name: str) -> int | None:
    """Return the dimension of a value that indexes its channels; None if that is not known.

    It is 1 after convolutions, pooling and BatchNorm, and the last one after linear layers,
    attention, embeddings and LayerNorm. Elementwise operations, and those that copy or permute,
    keep the channels of their inputs.
    """
    node = graph.node(name)
    if node is None:
        return None
    dim = _own_channel_dimension(node)
    if dim is None and _keeps_channels(node):
        dims = {_inherited_dimension(node, graph, ref.name) for ref in refs(node.args)} - {None}
        dim = dims.pop() if len(dims) == 1 else None
    return 1 if dim is None and len(node.shape) == 2 else dim


def _own_channel_dimension(node: Node) -> int | None:
    """Return the channel dimension that the operation itself decides."""
    operation = OPERATIONS.get(node.operation)
    kind = operation.kind if operation else None
    pooled = "_pool" in node.operation or node.operation.lstrip("_").startswith("upsample")
    if kind == "convolution" or pooled or node.operation in CHANNELS_SECOND:
        return 1
    if kind in ("linear", "attention", "recurrent") or node.operation in CHANNELS_LAST:
        return len(node.shape) - 1
    return None


def _keeps_channels(node: Node) -> bool:
    operation = OPERATIONS.get(node.operation)
    entrywise = operation and (operation.elementwise or operation.principle is Principle.ACTIVATION)
    return bool(entrywise) or node.operation in CHANNELS_OF_INPUT


def _inherited_dimension(node: Node, graph: Graph, name: str) -> int | None:
    """Return the channel dimension of an input, as a dimension of the node's result."""
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


def check_conditions(conditions: Any) -> Mapping[str, Any]:
    """Return the conditions, glob on modules -> channels.

    Raises:
        InputError: They are not a mapping, or a key is not a string.
    """
    if conditions is not None and not isinstance(conditions, Mapping):
        todo = f"write conditions={{{_as_pairs(conditions)}}}"
        raise InputError(f"conditions={conditions!r}", "a mapping from modules to channels", todo)
    for key, channels in (conditions or {}).items():
        if not isinstance(key, str):
            todo = f'write conditions={{"{key}": {channels!r}}}'
            raise InputError(f"the module {key!r} in conditions", "its dotted name, a string", todo)
    return dict(conditions or {})


def _as_pairs(given: Any) -> str:
    """Write what was given in place of a mapping as pairs of names and channels."""
    items = list(given) if isinstance(given, (list, tuple, set)) else [given]
    if len(items) == 2 and isinstance(items[0], (str, int)) and not isinstance(items[1], str):
        return f'"{items[0]}": {items[1]!r}'
    if items and all(isinstance(item, (str, int)) for item in items):
        return ", ".join(f'"{item}": [0]' for item in items)
    return '"NAME": [0]'


def condition_masks(
    conditions: Mapping[str, Any],
    outputs: Mapping[str, Sequence[str]],
    graph: Graph,
    values: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the mask of each value that conditions apply to; all conditions must hold.

    Args:
        conditions: Glob on modules -> channels.
        outputs: Module -> names of its output values, of the modules that the globs match.
        graph: The graph of the model.
        values: Value name -> value, (batch, ...).
    """
    masks: dict[str, Tensor] = {}
    for pattern, channels in conditions.items():
        modules = [module for module in outputs if fnmatchcase(module, pattern)]
        for module, name in [(m, n) for m in modules for n in outputs[m]]:
            dim = channel_dimension(graph, name)
            mask = channel_mask(values[name], channels, module, dim)
            masks[name] = mask * masks[name] if name in masks else mask
    return masks


def channel_mask(value: Tensor, channels: Any, module: str, dim: int | None) -> Tensor:
    """Return a mask that is 1 at some channels of a value and 0 elsewhere, and broadcasts to it.

    Args:
        value: The value, (batch, ...).
        channels: An index, several, or a mask of 0 and 1 that broadcasts to a sample.
        module: The module whose output the value is, for errors.
        dim: The channel dimension of the value; None if it is not known.

    Raises:
        InputError: Channels that the value does not have, indices without a known channel
            dimension, or a mask of another shape or with other numbers.
    """
    if isinstance(channels, Tensor) and (
        channels.dtype is torch.bool or channels.is_floating_point()
    ):
        return _expand_mask(value, channels, module, dim)
    if dim is None:
        raise InputError(
            f'channels of "{module}", whose output has shape {tuple(value.shape)}',
            "indices if the channel dimension is known; a mask in any case",
            f'write conditions={{"{module}": mask}}, a boolean tensor {tuple(value.shape[1:])}',
        )
    indices = _check_indices(channels, value.shape[dim], module)
    mask = torch.zeros(value.shape[dim], device=value.device)
    mask[indices.to(value.device)] = 1
    return mask.reshape(-1, *[1] * (value.ndim - 1 - dim))


def _check_indices(channels: Any, count: int, module: str) -> Tensor:
    """Return channel indices as a tensor (n,), each from 0 to count - 1."""
    try:
        is_tensor = isinstance(channels, Tensor)
        indices = channels if is_tensor else torch.as_tensor(channels, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        indices = torch.tensor([], device="cpu")
    wrong = indices.is_floating_point() or indices.dtype is torch.bool or indices.ndim > 1
    if indices.dtype is torch.bool and indices.shape == (count,) and bool(indices.any()):
        kept = indices.nonzero().flatten().tolist()
        raise InputError(
            f'a list of booleans for the channels of "{module}"',
            f"indices from 0 to {count - 1}, or a mask of a sample's shape",
            f'write conditions={{"{module}": {kept}}}',
        )
    if wrong or not indices.numel() or bool(((indices < 0) | (indices >= count)).any()):
        raise InputError(
            f'the channels {channels!r} of "{module}"',
            f"indices from 0 to {count - 1}, or a mask of a sample's shape",
            f'write conditions={{"{module}": [0]}}',
        )
    return indices.reshape(-1)


def _expand_mask(value: Tensor, mask: Tensor, module: str, dim: int | None) -> Tensor:
    """Return the mask in the shape of the value, whose channels are in a dimension, if known."""
    mask = mask.to(value.device)
    try:
        # A mask with fewer dimensions than a sample would broadcast along the wrong ones.
        fits = mask.ndim >= value.ndim - 1 and bool(((mask == 0) | (mask == 1)).all())
        expanded = mask.expand_as(value) if fits else None
    except RuntimeError:
        expanded = None
    if expanded is None:
        raise InputError(
            f'a mask of shape {tuple(mask.shape)} for the output of "{module}"',
            f"0 and 1, or booleans, of the shape of one sample: {tuple(value.shape[1:])}",
            f'write conditions={{"{module}": {_instead_of(mask, value, dim)}}}',
        )
    return expanded


def _instead_of(mask: Tensor, value: Tensor, dim: int | None) -> str:
    """Write what stands for a mask that does not fit: of one of channels, the indices."""
    by_channel = dim is not None and mask.shape == value.shape[dim : dim + 1] and bool(mask.any())
    return "mask.nonzero().flatten().tolist()" if by_channel else "[0]"
