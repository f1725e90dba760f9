"""Hand-written VJPs of frequent operations: linear ones, and max pooling.

Autograd has them, too, but recording one operation at a time for it costs more than many of them
take, and keeps tensors alive that they do not need. All others go through `rules.autodiff`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Ref, Values
from ..rules.backward import Absorbed, Absorbs, Back, Pull
from .lower_layers import with_defaults

Make = Callable[[Sequence[Any], Mapping[str, Any], Sequence[int]], Pull]
RunWithVjp = Callable[[Values], tuple[Any, Back]]


def run_with_vjp(
    node: Node, routes: Sequence[str], absorbed: Callable[[Values, Tensor], Absorbed]
) -> RunWithVjp | None:
    """Build the function that runs an operation, and gives its VJP as its backward pass.

    Args:
        node: The operation.
        routes: Names of the inputs that receive relevance.
        absorbed: Takes values and what arrives, and returns what is absorbed.

    Returns:
        None if there is no VJP here.
    """
    if node.operation == "max_pool2d" and not node.kwargs:
        return lambda values: _max_pool2d(partial(absorbed, values), *node.resolve_args(values))
    make = _VJPS.get(node.operation)
    args = node.args[0] if node.operation == "cat" else node.args
    names = [arg.name if isinstance(arg, Ref) else "" for arg in args]
    if make is None or any(names.count(name) != 1 for name in routes):
        return None  # none is written, or one value fills several slots
    places = [names.index(name) for name in routes]
    target, arguments, named, kwargs = (
        node.target,
        node.resolve_args,
        node.resolve_kwargs,
        node.kwargs,
    )

    def run(values: Values) -> tuple[Any, Back]:
        args = arguments(values)
        result = target(*args, **named(values))
        return result, Back(make(args, kwargs, places), partial(absorbed, values))

    return run


def _max_pool2d(absorbed: Absorbs, x: Tensor, *args: Any) -> tuple[Tensor, Back]:
    kernel, stride, padding, dilation, ceil = with_defaults(args, [None, [], 0, 1, False])
    options = (kernel, stride or kernel, padding, dilation, ceil)
    y, indices = torch.ops.aten.max_pool2d_with_indices(x, *options)
    winners = indices.int()  # half the memory; the backward pass converts them to long
    shape, strides = x.shape, x.stride()
    back = torch.ops.aten.max_pool2d_with_indices_backward
    channels_last = y.ndim == 4 and y.stride(1) == 1
    buffers: list[Tensor] = []

    def laid_out(c: Tensor) -> Tensor:
        """Match y's memory format, else torch copies. vmap does not support `memory_format=`."""
        return c.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) if channels_last else c

    def pull(c: Tensor) -> tuple[Tensor]:
        like = c.new_empty_strided(shape, strides)  # only its strides are read
        return (back(laid_out(c), like, *options, winners.long()),)

    def in_place(c: Tensor) -> tuple[Tensor]:
        if not buffers:
            buffers.extend([c.new_empty_strided(shape, strides), winners.long()])
        like, long = buffers
        return (back.grad_input(laid_out(c), like, *options, long, grad_input=like),)

    return y, Back(pull, absorbed, in_place=in_place)


def _reshaped(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    shape = args[0].shape
    return lambda c: (c.reshape(shape),)


def _same(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    device, dtype = args[0].device, args[0].dtype
    return lambda c: (c.to(device, dtype),)


def _transposed(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    _, first, second = args
    return lambda c: (c.transpose(first, second),)


def _permuted(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, order = args
    inverse = [0] * x.ndim
    for place, dim in enumerate(order):
        inverse[dim % x.ndim] = place
    return lambda c: (c.permute(inverse),)


def _expanded(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    like = args[0].shape, args[0].dtype
    return lambda c: (_summed(c, like),)


def _sum_of_two(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    alpha = kwargs.get("alpha", 1)
    like = [(alpha if i == 1 else 1, (args[i].shape, args[i].dtype)) for i in places]
    return lambda c: tuple([_summed(c if f == 1 else c * f, one) for f, one in like])


def _scaled(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    like = [(args[1 - i], (args[i].shape, args[i].dtype)) for i in places]
    return lambda c: tuple([_summed(c * factor, one) for factor, one in like])


def _summed(c: Tensor, like: tuple[torch.Size, torch.dtype]) -> Tensor:
    """Sum over broadcast dimensions, in that dtype. The checks cost less than calls of torch."""
    shape, dtype = like
    total = c if c.shape == shape else c.sum_to_size(shape)
    return total if total.dtype is dtype else total.to(dtype)


def _negated(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    return lambda c: (-c,)


def _selected(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, index = args
    shape = x.shape
    return lambda c: (torch.ops.aten.select_backward(c, shape, dim, index),)


def _sliced(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dim, start, end, step = with_defaults(args, [None, 0, None, None, 1])
    start, end = 0 if start is None else start, x.shape[dim] if end is None else end
    shape = x.shape
    return lambda c: (torch.ops.aten.slice_backward(c, shape, dim, start, end, step),)


def _mean(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, dims, keep = with_defaults(args, [None, None, False])
    found = range(x.ndim) if not dims and dims != 0 else [dims] if isinstance(dims, int) else dims
    shape, all_dims = x.shape, sorted(dim % x.ndim for dim in found)
    count = 1
    for dim in all_dims:
        count *= shape[dim]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        for dim in [] if keep or kwargs.get("keepdim") else all_dims:
            c = c.unsqueeze(dim)
        return ((c / count).expand(shape),)

    return pull


def _cat(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    tensors, dim = with_defaults(args, [None, 0])
    sizes = [0 if tensor.shape == (0,) else tensor.shape[dim] for tensor in tensors]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        parts = c.split_with_sizes(sizes, dim)
        return tuple([parts[i] for i in places])

    return pull


_VJPS: Mapping[str, Make] = {
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view"),
        _reshaped,
    ),
    **dict.fromkeys(("clone", "contiguous", "alias", "to", "_to_copy"), _same),
    "expand": _expanded,
    "transpose": _transposed,
    "permute": _permuted,
    "add": _sum_of_two,
    "mul": _scaled,
    "neg": _negated,
    "select": _selected,
    "slice": _sliced,
    "mean": _mean,
    "cat": _cat,
}
