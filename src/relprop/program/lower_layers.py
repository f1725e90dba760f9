"""Lowers weighted sums: a step of the plan -> the function that runs it by its rule.

Reads torch's arguments of dense layers, convolutions and average pools, folds the batch norm after
a layer into its weights, and lays pictures out as torch convolves them fastest.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Values, resolver
from ..graph.ops import operation_of
from ..plan.plan import Step
from ..rules.backward import Back
from ..rules.executor import run_shares
from ..rules.layer import WeightedSum
from ..rules.linear_maps import AveragePool, ChannelMap, Convolution, Dense, LinearMap, weighted_sum
from ..rules.lowered_layer import Activate, LoweredLayer, ReadLayer
from ..rules.weights import Scale, Weights
from .weight_cache import WeightCache, is_stand_in

Run = Callable[[Values], tuple[Any, Back | None]]


def lower_layer(step: Step, cache: WeightCache) -> Run:
    """Build the function from values by name to a layer's result and its backward pass."""
    assert step.rule is not None
    definition, parameters = step.rule.definition, dict(step.rule.parameters)
    layer = _lowered(step, cache)
    if definition.shares is not None:
        return run_shares(definition.shares(**parameters), layer)
    return lambda values: _run_custom(partial(definition.function, **parameters), layer, values)


def lower_forward(step: Step, cache: WeightCache) -> Callable[[Values], Tensor]:
    """Build the function from values to a layer's result, for a layer that takes no relevance."""
    read = _reader(step, cache)

    def run(values: Values) -> Tensor:
        x, linear_map, weights = read(values)
        return weighted_sum(linear_map, x, weights)

    return run


def _run_custom(
    rule: Callable[[WeightedSum], Back], layer: LoweredLayer, values: Values
) -> tuple[Tensor, Back]:
    """Run a layer by a custom rule, which takes it as a `WeightedSum`; activations run apart."""
    x, linear_map, weights = layer.read(values)
    weighted = WeightedSum(
        map=linear_map,
        weights=weights,
        x=x,
        nonnegative=layer.nonnegative,
        rectified=layer.rectified,
        arriving=layer.arriving,
    )
    back = rule(weighted)
    return weighted.z, back


def _lowered(step: Step, cache: WeightCache) -> LoweredLayer:
    assert step.arriving is not None
    operation = operation_of(step.activation) if step.activation else None
    return LoweredLayer(
        nonnegative=step.nonnegative,
        rectified=step.rectified,
        relu=step.rectifies_in_place,
        keeps_sign=operation is not None and operation.keeps_sign,
        arriving=step.arriving,
        sample_dims=_dims_without_batch(step.node),
        read=_reader(step, cache),
        activate=_activation(step),
    )


def _dims_without_batch(node: Node) -> tuple[int, ...]:
    """List the dimensions of z without the batch axis.

    The batch axis has no fixed size; in a graph captured for one batch it is the first.
    """
    batch = node.shape.index(None) if None in node.shape else 0
    return tuple(dim for dim in range(len(node.shape)) if dim != batch)


def _activation(step: Step) -> Activate | None:
    """Build the function from values and z to the activation; None if it is a part of z."""
    if step.activation is None or step.rectifies_in_place:
        return None
    node, name = step.activation, (step.batch_norm or step.node).name
    others = [other for other in node.inputs if other != name]
    return lambda values, z: node.run({name: z, **{n: values[n] for n in others}})


def _reader(step: Step, cache: WeightCache) -> ReadLayer:
    """Build the function from values to a layer's input, geometry and weights."""
    (place,) = step.places
    source = step.node.args[place].name
    others = tuple(name for name in step.reads if name != source)
    lay_out = _laid_out if step.kind == "convolution" else None
    return cache.reader(step.name, source, others, partial(_layer, step), lay_out)


def _laid_out(x: Tensor) -> Tensor:
    """Return the input in the memory format that torch convolves fastest with.

    The result of the layer has the same format, and so has what follows. A tensor by which
    torch.compile follows the program stays as it is: inductor chooses formats itself.
    """
    if x.ndim == 4 and x.stride(1) != 1 and not is_stand_in(x) and _prefers_channels_last(x):
        return x.clone(memory_format=torch.channels_last)
    return x


def _prefers_channels_last(x: Tensor) -> bool:
    """Tell whether channels-last is faster: with oneDNN on CPUs, and on CUDA with 16 bits.

    With float32 on CUDA, cuDNN uses TF32 for channels-last alone, and deep nets magnify that
    rounding (VGG16 by epsilon: a map that differs by 15 %).
    """
    if x.device.type == "cpu":
        return torch.backends.mkldnn.is_available()  # type: ignore[no-any-return, no-untyped-call]
    half_precision = x.dtype.itemsize == 2 or torch.is_autocast_enabled(x.device.type)
    return x.device.type == "cuda" and half_precision


def _layer(step: Step, values: Values, x: Tensor) -> tuple[LinearMap, Weights]:
    """Read a layer's geometry and weights."""
    args = list(step.node.resolve_args(values))
    del args[step.places[0]]
    if step.kind == "average-pool":
        return _average_pool(step.node, x, args)
    linear_map, weights = (_linear if step.kind == "linear" else _convolution)(step.node, x, args)
    if step.batch_norm is not None:
        weights = _fold(linear_map, weights, resolver(step.batch_norm.args[1:8])(values))
    return linear_map, weights


def _linear(node: Node, x: Tensor, args: list[Any]) -> tuple[ChannelMap, Weights]:
    if node.operation in ("addmm", "mm"):  # x W + b, as (b, x, W) and (x, W)
        *bias, weight = args
        return Dense(), Weights(weight.t(), bias[0] if bias else None)
    weight, bias = with_defaults(args, [None, None])
    return Dense(), Weights(weight, bias)


def _convolution(node: Node, x: Tensor, args: list[Any]) -> tuple[ChannelMap, Weights]:
    n = x.ndim - 2
    if "transpose" in node.operation:
        weight, bias, stride, padding, extra, groups, dilation = with_defaults(
            args, [None, None, 1, 0, 0, 1, 1]
        )
    else:
        defaults = [None, None, 1, 0, 1, 1]
        weight, bias, stride, padding, dilation, groups = with_defaults(args, defaults)
        extra = 0
    dilation = _per_dimension(dilation, n)
    before, after = _padding(padding, weight.shape[2:], dilation)
    geometry = Convolution(
        stride=_per_dimension(stride, n),
        before=before,
        after=after,
        dilation=dilation,
        transposed="transpose" in node.operation,
        output_padding=_per_dimension(extra, n),
        groups=groups,
        layout=torch.channels_last if n == 2 and x.stride(1) == 1 else torch.contiguous_format,
    )
    return geometry, Weights(weight, bias, layout=geometry.layout)


def _average_pool(node: Node, x: Tensor, args: list[Any]) -> tuple[LinearMap, Weights]:
    def pool(v: Tensor) -> Tensor:
        return node.target(v, *args)  # type: ignore[no-any-return]

    return AveragePool(pool), Weights(torch.ones((), dtype=x.dtype, device=x.device), None)


def with_defaults(args: Sequence[Any], defaults: Sequence[Any]) -> list[Any]:
    """Complete positional arguments by torch's defaults for those that were left out."""
    return [*args, *defaults[len(args) :]]


def _per_dimension(value: Any, n: int) -> tuple[int, ...]:
    """Repeat a single number for each spatial dimension."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values * n if len(values) == 1 else values


def _padding(
    padding: Any, kernel: torch.Size, dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Count the zeros before and after each spatial dimension; "same" puts the odd one after."""
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    both = _per_dimension(0 if padding == "valid" else padding, len(kernel))
    return both, both


def _fold(linear_map: ChannelMap, weights: Weights, norm: tuple[Any, ...]) -> Weights:
    """Fold a batch norm in eval mode into a layer: W' = g W, b' = g (b - mean) + shift.

    g = weight / sqrt(variance + eps) becomes the `Scale` of the weights, which `linear_maps`
    multiplies z and its cotangents by.
    """
    weight, shift, mean, variance, _, _, eps = norm  # arguments 1 to 7 of torch's batch_norm
    root = (variance + eps).rsqrt()
    g = root if weight is None else root * weight
    bias = -mean if weights.bias is None else weights.bias - mean
    bias = bias * g if shift is None else bias * g + shift
    scale = Scale(linear_map.along_outputs(g), linear_map.along_weight(g, weights.raw))
    return replace(weights, bias=bias, scale=scale, computed=True, memo={})
