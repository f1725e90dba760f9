"""Layers: reads torch's arguments of a weighted sum into a `WeightedSum`, batch norm and all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Values, resolver
from ..graph.ops import operation_of
from ..plan.plan import Step
from ..rules.layer import Scale, WeightedSum, Weights, forward
from ..rules.linear_maps import AveragePool, Convolution, Dense, LinearMap
from .weight_cache import KeptWeights, stands_in


def weighted_sum(step: Step, kept: KeptWeights) -> Callable[[Values], WeightedSum]:
    """The function from values by name to the weighted sum of a step."""
    parts, relu, activation = _parts(step, kept), step.rectifies_in_place, _activation(step)
    keeps_sign, sample_dims = _keeps_sign(step.activation), _without_samples(step.node)
    assert step.arriving is not None
    arriving = step.arriving

    def read(values: Values) -> WeightedSum:
        x, linear_map, weights = parts(values)
        return WeightedSum(
            map=linear_map,
            weights=weights,
            x=x,
            nonnegative=step.nonnegative,
            rectified=step.rectified,
            activation=activation and partial(activation, values),
            relu=relu,
            keeps_sign=keeps_sign,
            arriving=arriving,
            sample_dims=sample_dims,
        )

    return read


def result(step: Step, kept: KeptWeights) -> Callable[[Values], Tensor]:
    """The function from values to what the weighted sum is, and nothing for a way back."""
    parts = _parts(step, kept)

    def run(values: Values) -> Tensor:
        x, linear_map, weights = parts(values)
        return forward(linear_map, x, weights)

    return run


def _parts(step: Step, kept: KeptWeights) -> Callable[[Values], tuple[Tensor, LinearMap, Weights]]:
    (place,) = step.places
    fed = step.node.args[place].name
    others = tuple(name for name in step.reads if name != fed)
    convolves = step.kind == "convolution"

    def parts(values: Values) -> tuple[Tensor, LinearMap, Weights]:
        x = _laid_out(values[fed]) if convolves else values[fed]
        return x, *kept.layer(step.name, others, values, lambda: _layer(step, values, x))

    return parts


def _activation(step: Step) -> Callable[[Values, Tensor], Tensor] | None:
    """The function from values and the sum to what the activation makes of it."""
    if step.activation is None:
        return None
    node, name = step.activation, (step.batch_norm or step.node).name
    others = [other for other in node.inputs if other != name]
    return lambda values, z: node.run({name: z, **{other: values[other] for other in others}})


def _keeps_sign(activation: Node | None) -> bool:
    operation = operation_of(activation) if activation else None
    return operation is not None and operation.keeps_sign


def _laid_out(x: Tensor) -> Tensor:
    """The input in the layout that torch convolves fastest with.

    What a layer makes of it has the same layout, and so has what follows. What torch.compile
    follows a program by stays as it is: it chooses layouts itself.
    """
    if x.ndim == 4 and x.stride(1) != 1 and not stands_in(x) and _channels_last_is_faster(x):
        return x.clone(memory_format=torch.channels_last)
    return x


def _channels_last_is_faster(x: Tensor) -> bool:
    """With oneDNN on CPUs it is, and on CUDA devices with 16 bits.

    With float32 there, cuDNN takes TF32 for it, and keeps to float32 in the other layout: deep nets
    magnify that rounding (VGG16 by epsilon: a map that differs by 15 %).
    """
    if x.device.type == "cpu":
        return torch.backends.mkldnn.is_available()  # type: ignore[no-any-return, no-untyped-call]
    lowered = x.dtype.itemsize == 2 or torch.is_autocast_enabled(x.device.type)
    return x.device.type == "cuda" and lowered


def _layer(step: Step, values: Values, x: Tensor) -> tuple[LinearMap, Weights]:
    """Its geometry and weights."""
    args = list(step.node.resolve_args(values))
    del args[step.places[0]]
    linear_map, weights = _READERS[step.kind or ""](step.node, x, args)
    if step.batch_norm is not None:
        weights = _fold(linear_map, weights, resolver(step.batch_norm.args[1:8])(values))
    return linear_map, weights


def _without_samples(node: Node) -> tuple[int, ...]:
    """The dimensions of z but the one over samples: the first, in a graph for one batch alone."""
    samples = node.shape.index(None) if None in node.shape else 0
    return tuple(dim for dim in range(len(node.shape)) if dim != samples)


def _linear(node: Node, x: Tensor, rest: list[Any]) -> tuple[LinearMap, Weights]:
    if node.operation in ("addmm", "mm"):  # x W + b, as (b, x, W) and (x, W)
        *bias, weight = rest
        return Dense(), Weights(weight.t(), bias[0] if bias else None)
    weight, bias = _padded(rest, [None, None])
    return Dense(), Weights(weight, bias)


def _convolution(node: Node, x: Tensor, rest: list[Any]) -> tuple[LinearMap, Weights]:
    n = x.ndim - 2
    if "transpose" in node.operation:
        weight, bias, stride, padding, extra, groups, dilation = _padded(
            rest, [None, None, 1, 0, 0, 1, 1]
        )
    else:
        weight, bias, stride, padding, dilation, groups = _padded(rest, [None, None, 1, 0, 1, 1])
        extra = 0
    dilation = _each(dilation, n)
    before, after = _padding(padding, weight.shape[2:], dilation)
    geometry = Convolution(
        stride=_each(stride, n),
        before=before,
        after=after,
        dilation=dilation,
        transposed="transpose" in node.operation,
        output_padding=_each(extra, n),
        groups=groups,
        layout=torch.channels_last if n == 2 and x.stride(1) == 1 else torch.contiguous_format,
    )
    return geometry, Weights(weight, bias, layout=geometry.layout)


def _average_pool(node: Node, x: Tensor, rest: list[Any]) -> tuple[LinearMap, Weights]:
    def pool(v: Tensor) -> Tensor:
        return node.target(v, *rest)  # type: ignore[no-any-return]

    return AveragePool(pool), Weights(torch.ones((), dtype=x.dtype, device=x.device), None)


_READERS: Mapping[str, Callable[[Node, Tensor, list[Any]], tuple[LinearMap, Weights]]] = {
    "linear": _linear,
    "convolution": _convolution,
    "average-pool": _average_pool,
}


def _padded(given: list[Any], defaults: list[Any]) -> list[Any]:
    """Positional arguments, with torch's defaults for those that were left out."""
    return [*given, *defaults[len(given) :]]


def _each(value: Any, n: int) -> tuple[int, ...]:
    """One number for each spatial dimension."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values * n if len(values) == 1 else values


def _padding(
    padding: Any, kernel: torch.Size, dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Zeros before and after each spatial dimension; "same" puts the odd one after."""
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    both = _each(0 if padding == "valid" else padding, len(kernel))
    return both, both


def _fold(linear_map: LinearMap, weights: Weights, norm: tuple[Any, ...]) -> Weights:
    """Weights of the layer and its batch norm in eval mode as one: W' = g W, b' = g (b - m) + t."""
    assert isinstance(linear_map, (Dense, Convolution))
    factor, shift, mean, variance, _, _, eps = norm
    root = (variance + eps).rsqrt()
    factor = root if factor is None else root * factor
    bias = -mean if weights.bias is None else weights.bias - mean
    bias = bias * factor if shift is None else bias * factor + shift
    along = linear_map.along_outputs(factor), linear_map.along_weight(factor, weights.raw)
    return replace(weights, bias=bias, scale=Scale(*along), made=True, _made={})
