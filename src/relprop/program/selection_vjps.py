"""Hand-written VJPs of operations that move entries: views, parts of a tensor, look-ups, joins.

Each function takes an operation's arguments, and returns the function from the cotangent c of its
result to those of the inputs at some places.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..rules.backward import Pull
from .lower_layers import with_defaults

Make = Callable[[Sequence[Any], Mapping[str, Any], Sequence[int]], Pull]
MakePart = Callable[[int, Sequence[Any], Mapping[str, Any], Sequence[int]], Pull]

# ---- views -----------------------------------------------------------------------------------


def _reshaped(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    shape = args[0].shape
    return lambda c: (c.reshape(shape),)


def _transposed(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, first, second = args
    return lambda c: (c.transpose(first, second),)


def _permuted(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, order = args
    inverse = [0] * x.ndim
    for place, dim in enumerate(order):
        inverse[dim % x.ndim] = place
    return lambda c: (c.permute(inverse),)


def _selected(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, index = args
    shape = x.shape
    return lambda c: (torch.ops.aten.select_backward(c, shape, dim, index),)


def _sliced(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, start, end, step = with_defaults(args, [None, 0, None, None, 1])
    start, end = 0 if start is None else start, x.shape[dim] if end is None else end
    shape = x.shape
    return lambda c: (torch.ops.aten.slice_backward(c, shape, dim, start, end, step),)


def _cat(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    tensors, dim = with_defaults(args, [None, 0])
    sizes = [0 if tensor.shape == (0,) else tensor.shape[dim] for tensor in tensors]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        parts = c.split_with_sizes(sizes, dim)
        return tuple([parts[i] for i in places])

    return pull


def _rolled(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    shifts, dims = with_defaults(args, [None, None, ()])[1:]
    back = [-shift for shift in ([shifts] if isinstance(shifts, int) else shifts)]
    return lambda c: (c.roll(back, dims),)


def _padded(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    inside = [-width for width in args[1]]
    return lambda c: (functional.pad(c, inside),)


# ---- one of several results ------------------------------------------------------------------


def _of_split(
    item: int, args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]
) -> Pull:
    """Take c to the part that it is of; parts have a list of sizes, or all but the last one."""
    x, sizes, dim = with_defaults(args, [None, None, 0])
    if isinstance(sizes, int):
        return _one_part(x, dim, item * sizes, sizes)
    return _one_part(x, dim, sum(sizes[:item]), sizes[item])


def _of_chunk(
    item: int, args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]
) -> Pull:
    x, count, dim = with_defaults(args, [None, None, 0])
    size = -(-x.shape[dim] // count)
    return _one_part(x, dim, item * size, size)


def _one_part(x: Tensor, dim: int, start: int, size: int) -> Pull:
    shape, end = x.shape, min(start + size, x.shape[dim])
    return lambda c: (torch.ops.aten.slice_backward(c, shape, dim, start, end, 1),)


def _of_unbind(
    item: int, args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]
) -> Pull:
    x, dim = with_defaults(args, [None, 0])
    return _selected((x, dim, item), kwargs, places)


# ---- look-ups, and writes at indices -----------------------------------------------------------


def _indexed(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, indices = args
    shape, put = x.shape, torch.ops.aten.index_put  # which takes None, for all of a dimension
    return lambda c: (put(c.new_zeros(shape), indices, c, True),)


def _index_selected(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, index = args
    shape = x.shape
    return lambda c: (c.new_zeros(shape).index_add(dim, index, c),)


def _gathered(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, index = args[:3]
    shape = x.shape
    return lambda c: (c.new_zeros(shape).scatter_add(dim, index, c),)


def _index_added(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, dim, index, _ = args
    alpha = kwargs.get("alpha", 1)

    def to_source(c: Tensor) -> Tensor:
        part = c.index_select(dim, index)
        return part if alpha == 1 else part * alpha

    return lambda c: tuple([c if place == 0 else to_source(c) for place in places])


def _scattered_sum(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, dim, index, source = args
    sizes = zip(reversed(source.shape), reversed(index.shape), strict=True)
    unread = [n for size, own in sizes for n in (0, size - own)]

    def to_source(c: Tensor) -> Tensor:
        part = c.gather(dim, index)
        return functional.pad(part, unread) if any(unread) else part

    return lambda c: tuple([c if place == 0 else to_source(c) for place in places])


def _slice_written(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, source, dim, start, end, step = with_defaults(args, [None, None, 0, None, None, 1])
    shape = source.shape

    def one(c: Tensor, place: int) -> Tensor:
        if place == 1:
            part: Tensor = torch.ops.aten.slice(c, dim, start, end, step)
            return part
        return torch.slice_scatter(c, c.new_zeros(shape), dim, start, end, step)

    return lambda c: tuple([one(c, place) for place in places])


def _entry_written(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, source, dim, index = args
    shape = source.shape

    def one(c: Tensor, place: int) -> Tensor:
        if place == 1:
            return c.select(dim, index)
        return torch.select_scatter(c, c.new_zeros(shape), dim, index)

    return lambda c: tuple([one(c, place) for place in places])


def _filled(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, mask, _ = args
    shape = x.shape
    return lambda c: (c.masked_fill(mask, 0).sum_to_size(shape),)


def _stacked(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, dim = with_defaults(args, [None, 0])

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        parts = c.unbind(dim)
        return tuple([parts[i] for i in places])

    return pull


LISTS = ("cat", "stack")
"""Operations whose inputs are in a list."""

SELECTIONS: Mapping[str, Make] = {
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view"),
        _reshaped,
    ),
    **dict.fromkeys(("transpose", "swapaxes"), _transposed),
    "permute": _permuted,
    "select": _selected,
    "slice": _sliced,
    "roll": _rolled,
    **dict.fromkeys(("pad", "constant_pad_nd"), _padded),
    "cat": _cat,
    "stack": _stacked,
    "index": _indexed,
    "index_select": _index_selected,
    "gather": _gathered,
    "index_add": _index_added,
    "scatter_add": _scattered_sum,
    "slice_scatter": _slice_written,
    "select_scatter": _entry_written,
    "masked_fill": _filled,
}
"""The VJP of an operation, by its name."""

RESULT_PARTS: Mapping[str, MakePart] = {
    **dict.fromkeys(("split", "split_with_sizes"), _of_split),
    "chunk": _of_chunk,
    "unbind": _of_unbind,
}
"""Likewise, for operations that give several results, of one of them."""
