"""Hand-written VJPs of frequent operations: arithmetic, products, softmax and max pooling.

Autograd has them, too, but recording one operation at a time for it costs more than many of them
take, and keeps tensors alive that they do not need. All others go through `rules.autodiff`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Ref, Values
from ..rules.backward import Absorbed, Absorbs, Back, Pull
from ..support.torch_private import operation_name
from .lower_layers import with_defaults
from .selection_vjps import LISTS, RESULT_PARTS, SELECTIONS, Make

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
    if node.operation == "softmax":
        return lambda values: _softmax(node, values, partial(absorbed, values))
    make = _VJPS.get(node.operation) if node.item is None else _of_part(node)
    args = node.args[0] if node.operation in LISTS else node.args
    names = [arg.name if isinstance(arg, Ref) else "" for arg in args]
    if make is None or any(names.count(name) != 1 for name in routes):
        return None  # none is written, or one value fills several slots
    if node.operation == "pad" and node.args[2:3] not in ((), ("constant",)):
        return None  # entries that are repeated
    if node.operation == "gather" and operation_name(node.target) is None:
        return None  # that of `graph.prune`, which has arguments of its own
    places = [names.index(name) for name in routes]
    if places != [0] and node.operation not in _OF_SEVERAL:
        return None
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


def _of_part(node: Node) -> Make | None:
    make = RESULT_PARTS.get(node.operation)
    return None if make is None else partial(make, node.item or 0)


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


def _softmax(node: Node, values: Values, absorbed: Absorbs) -> tuple[Tensor, Back]:
    """Run a softmax y; the VJP takes c to y (c - sum y c), summed over the softmax's dimension."""
    args = node.resolve_args(values)
    y: Tensor = node.target(*args, **node.resolve_kwargs(values))
    dim, dtype = args[1], args[0].dtype

    def pull(c: Tensor) -> tuple[Tensor]:
        product = c * y
        shared = y * product.sum(dim, keepdim=True)
        pulled = product - shared if torch.is_grad_enabled() else product.sub_(shared)
        return (pulled.to(dtype),)

    return y, Back(pull, absorbed)


def _same(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    device, dtype = args[0].device, args[0].dtype
    return lambda c: (c.to(device, dtype),)


def _expanded(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    like = args[0].shape, args[0].dtype
    return lambda c: (_summed(c, like),)


def _sum_of_two(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    return _weighted_sum_of_two(args, places, kwargs.get("alpha", 1))


def _difference(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    return _weighted_sum_of_two(args, places, -kwargs.get("alpha", 1))


def _weighted_sum_of_two(args: Sequence[Any], places: Sequence[int], alpha: float) -> Pull:
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


def _quotient(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    x, divisor = args
    like = x.shape, x.dtype
    return lambda c: (_summed(c / divisor, like),)


def _matrix_product(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    """Take c to c y^T and x^T c; a vector is a matrix of one row, or of one column."""
    like = [(arg.shape, arg.dtype) for arg in args]
    row, column = (arg.ndim == 1 for arg in args)
    x: Tensor = args[0][None] if row else args[0]
    y: Tensor = args[1][:, None] if column else args[1]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        c = c.unsqueeze(-1) if column else c
        c = c.unsqueeze(-2) if row else c
        return tuple([_as_matrix(x.mT @ c if i else c @ y.mT, like[i], i) for i in places])

    return pull


def _as_matrix(product: Tensor, like: tuple[torch.Size, torch.dtype], place: int) -> Tensor:
    """Sum over broadcast dimensions; give the matrix of a vector the vector's shape."""
    shape, dtype = like
    if len(shape) > 1:
        return _summed(product, like)
    matrix = (1, *shape) if place == 0 else (*shape, 1)
    return _summed(product, (torch.Size(matrix), dtype)).reshape(shape)


def _batch_norm(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    """Take c to c times the factor of each channel; in eval mode statistics are constants."""
    x, weight, _, _, variance, _, _, eps, *_ = args
    root = (variance + eps).rsqrt()
    scale = (root if weight is None else root * weight).reshape(-1, *[1] * (x.ndim - 2))
    dtype = x.dtype
    return lambda c: ((c * scale).to(dtype),)


def _total(args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int]) -> Pull:
    return _mean(args, kwargs, places, average=False)


def _mean(
    args: Sequence[Any], kwargs: Mapping[str, Any], places: Sequence[int], average: bool = True
) -> Pull:
    x, dims, keep = with_defaults(args, [None, None, False])
    found = range(x.ndim) if not dims and dims != 0 else [dims] if isinstance(dims, int) else dims
    shape, all_dims = x.shape, sorted(dim % x.ndim for dim in found)
    count = math.prod(shape[dim] for dim in all_dims) if average else 1
    dtype, kept = x.dtype, keep or kwargs.get("keepdim")

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        for dim in [] if kept else all_dims:
            c = c.unsqueeze(dim)
        return ((c if count == 1 else c / count).to(dtype).expand(shape),)

    return pull


_VJPS: Mapping[str, Make] = {
    **SELECTIONS,
    **dict.fromkeys(("clone", "contiguous", "alias", "to", "_to_copy", "type_as"), _same),
    **dict.fromkeys(("expand", "expand_as"), _expanded),
    **dict.fromkeys(("matmul", "bmm", "mm"), _matrix_product),
    "add": _sum_of_two,
    "sub": _difference,
    "mul": _scaled,
    "div": _quotient,
    "neg": _negated,
    "mean": _mean,
    "sum": _total,
    "batch_norm": _batch_norm,
}

# Operations with a VJP for several inputs; of all others only for the first.
_OF_SEVERAL = frozenset(
    (
        *("add", "sub", "mul", "matmul", "bmm", "mm", "index_add", "scatter_add"),
        *("slice_scatter", "select_scatter", *LISTS),
    )
)
