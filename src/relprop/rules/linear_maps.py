"""Linear maps: which input reaches which output through which weight, forward and backward.

One class for each geometry: dense layers, convolutions, average pooling.

    x  (batch, *in)     the input                 z      (batch, *out)   W x + b
    s  (batch, *out)    a cotangent of z          shape                  that of x
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .weights import STABILISER, Weights


class LinearMap(Protocol):
    """The geometry of a weighted sum: which input reaches which output through which weight."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute W x + b."""

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """Compute W^T s, of the input's shape: the VJP of `forward`."""

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """Compute `transpose` with every weight set to one."""

    def concatenate(self, first: Tensor, second: Tensor) -> Tensor:
        """Join two weights into one, for `transpose_both`."""

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        """Compute `transpose` with each of two joined weights, in one pass."""

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """Count the inputs that reach each output; broadcasts to (1, *out)."""

    def along_outputs(self, values: Tensor) -> Tensor:
        """Reshape one value per output channel so that it broadcasts to z."""


class ChannelMap(LinearMap, Protocol):
    """A linear map with weights of its own for each output channel."""

    def along_weight(self, values: Tensor, weight: Tensor) -> Tensor:
        """Reshape one value per output channel so that it broadcasts to the weight."""


def weighted_sum(linear_map: LinearMap, x: Tensor, weights: Weights) -> Tensor:
    """Compute z = W x + b, with the scale of a folded batch norm."""
    if weights.scale is None:
        return linear_map.forward(x, weights.raw, weights.bias)
    assert weights.bias is not None  # it holds the batch norm's shift
    z = linear_map.forward(x, weights.raw, None)
    scale, shift = weights.scale.of_outputs, linear_map.along_outputs(weights.bias)
    out = None if torch.is_grad_enabled() else z
    return torch.addcmul(shift.to(z.dtype), z, scale.to(z.dtype), out=out)


def unbiased_and_whole_sum(
    linear_map: LinearMap, x: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Compute W x and W x + b in one pass; with a batch norm the latter as `weighted_sum`."""
    unbiased = linear_map.forward(x, weights.raw, None)
    if weights.scale is None:
        return unbiased, unbiased + bias_of(linear_map, weights)
    assert weights.bias is not None  # it holds the batch norm's shift
    scale, shift = weights.scale.of_outputs, linear_map.along_outputs(weights.bias)
    scale = scale.to(unbiased.dtype)
    return unbiased * scale, torch.addcmul(shift.to(unbiased.dtype), unbiased, scale)


def stabilised_sum(linear_map: LinearMap, x: Tensor, weights: Weights) -> Tensor:
    """Compute W x + b + STABILISER; a bias holds the stabiliser, which then costs nothing."""
    z = weighted_sum(linear_map, x, weights.stabilised)
    return z if weights.bias is not None else z.add_(STABILISER)


def transposed(
    linear_map: LinearMap, s: Tensor, weights: Weights, shape: Sequence[int], overwrite: bool
) -> Tensor:
    """Compute W^T s, with the scale of a folded batch norm.

    Args:
        linear_map: The geometry of the layer.
        s: A cotangent of z, (batch, *out).
        weights: W and its scale.
        shape: That of x.
        overwrite: Whether the scaled s may be written into the memory of s.
    """
    if weights.scale is not None:
        scale = weights.scale.of_outputs.to(s.dtype)
        s = s.mul_(scale) if overwrite and not torch.is_grad_enabled() else s * scale
    return linear_map.transpose(s, weights.raw, shape)


def bias_of(linear_map: LinearMap, weights: Weights) -> Tensor | float:
    """Return the bias in a shape that broadcasts to z; 0 if there is none."""
    return 0.0 if weights.bias is None else linear_map.along_outputs(weights.bias)


@dataclass(frozen=True)
class Dense:
    """`torch.nn.functional.linear`: the last dimension of x against the rows of the weight."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # Of a non-contiguous x, torch would run one product per entry of the first dimension.
        return functional.linear(x.contiguous(), weight, bias)

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s.contiguous() @ weight

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s.sum(-1, keepdim=True).expand(tuple(shape))

    def concatenate(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.cat([first, second], 1)

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return self.transpose(s, both, shape).chunk(2, -1)

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return weight.new_full((1,) * len(shape), weight.shape[1])

    def along_weight(self, values: Tensor, weight: Tensor) -> Tensor:
        return values[:, None]

    def along_outputs(self, values: Tensor) -> Tensor:
        return values


@dataclass(frozen=True)
class Convolution:
    """A convolution of any number of dimensions, transposed or not.

    Attributes:
        before: Zeros put before each spatial dimension, first dimension first.
        after: Zeros put after each spatial dimension.
        layout: Memory format of the first x. Torch copies a cotangent of another format.
    """

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int
    layout: torch.memory_format = torch.contiguous_format

    @property
    def _extra(self) -> tuple[int, ...]:
        """List the surplus of zeros at the far end, in the order of functional.pad."""
        pairs = zip(self.before, self.after, strict=True)
        return tuple(n for a, b in reversed(list(pairs)) for n in (0, b - a))

    @property
    def _options(self) -> tuple[Any, ...]:
        return (self.stride, self.before, self.dilation, self.transposed, self.output_padding)

    def _widen(self, shape: Sequence[int]) -> list[int]:
        extra = [b - a for a, b in zip(self.before, self.after, strict=True)]
        return [*shape[:2], *(n + e for n, e in zip(shape[2:], extra, strict=True))]

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if any(self._extra):
            x = functional.pad(x, self._extra)
        options = (*self._options, self.groups)
        return torch.ops.aten.convolution(x, weight, bias, *options)  # type: ignore[no-any-return]

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self._backward_data(s, weight, shape, self.groups)

    def _backward_data(
        self, s: Tensor, weight: Tensor, shape: Sequence[int], groups: int
    ) -> Tensor:
        s, weight = _of_one_dtype(s, weight)
        like = torch.empty(  # only its shape is read; torch would copy an expanded tensor
            self._widen(shape), dtype=s.dtype, device=s.device, memory_format=self.layout
        )
        grad_input = torch.ops.aten.convolution_backward(
            s, like, weight, None, *self._options, groups, [True, False, False]
        )[0]
        if any(self._extra):
            inside = (slice(None), slice(None), *(slice(n) for n in shape[2:]))
            grad_input = grad_input[inside]
        return grad_input  # type: ignore[no-any-return]

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        if self.transposed:
            return self.transpose(s, torch.ones_like(weight), shape)
        groups, kernel = self.groups, weight.shape[2:]
        total = s.reshape(s.shape[0], groups, -1, *s.shape[2:]).sum(2)  # (batch, groups, *out)
        group_shape = [shape[0], groups, *shape[2:]]
        if self._is_window(kernel):
            back = _spread_window(total, group_shape, kernel, self.stride, self.before)
        else:
            back = self._backward_data(
                total, weight.new_ones((groups, 1, *kernel)), group_shape, groups
            )
        return back.repeat_interleave(shape[1] // groups, 1)

    def concatenate(self, first: Tensor, second: Tensor) -> Tensor:
        if not self.transposed:
            return torch.cat([first, second], 1)
        rows, *rest = first.shape
        parts = [w.reshape(self.groups, rows // self.groups, *rest) for w in (first, second)]
        return torch.cat(parts, 1).flatten(0, 1)

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        batch, inputs, *spatial = shape
        back = self.transpose(s, both, [batch, 2 * inputs, *spatial])
        parts = back.reshape(batch, self.groups, 2, -1, *spatial)  # each group has both
        return tuple(part.reshape(tuple(shape)) for part in parts.unbind(2))

    def _is_window(self, kernel: Sequence[int]) -> bool:
        """Tell whether the windows are those of an average pool."""
        narrow = all(2 * pad <= size for pad, size in zip(self.before, kernel, strict=True))
        return len(kernel) == 2 and narrow and set(self.dilation) == {1} and not any(self._extra)

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        inputs, kernel = shape[1] // self.groups, weight.shape[2:]
        ones = weight.new_ones((inputs, 1, *kernel) if self.transposed else (1, inputs, *kernel))
        x = weight.new_ones((1, inputs, *shape[2:]))
        return replace(self, groups=1).forward(x, ones, None)

    def along_weight(self, values: Tensor, weight: Tensor) -> Tensor:
        if not self.transposed:
            return values.reshape(-1, *[1] * (weight.ndim - 1))
        # (in, out / groups, *kernel): which outputs a row holds depends on its group
        rows = values.reshape(self.groups, -1).repeat_interleave(weight.shape[0] // self.groups, 0)
        return rows.reshape(*rows.shape, *[1] * (weight.ndim - 2))

    def along_outputs(self, values: Tensor) -> Tensor:
        return values.reshape(-1, *[1] * len(self.stride))


def _of_one_dtype(s: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Convert s and the weight to one dtype: autocast does not see aten.convolution_backward.

    bfloat16 stays, since it is fast on tensor cores. float16 becomes the weight's dtype: relevance
    per unit of a sum may be too large for it.
    """
    if s.dtype is torch.bfloat16 and s.device.type == "cuda":
        return s, weight.to(s.dtype)
    return s.to(weight.dtype), weight


def _spread_window(
    s: Tensor,
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
) -> Tensor:
    """Add each s to all of its window: ten times faster than a convolution with ones."""
    back = torch.ops.aten.avg_pool2d_backward
    like = s.new_empty(shape)  # only its shape is read
    return back(s, like, kernel, stride, pad, False, True, 1)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AveragePool:
    """Average pooling: all weights of an output are equal, so a scalar weight 1 stands for them."""

    pool: Any

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self.pool(x) * weight  # type: ignore[no-any-return]

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        pull = torch.func.vjp(self.pool, s.new_zeros(tuple(shape)))[1]
        return pull(s)[0] * weight  # type: ignore[no-any-return]

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self.transpose(s, weight, shape)

    def concatenate(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.stack([first, second])

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        back = self.transpose(s, torch.ones_like(both[0]), shape)
        return back * both[0], back * both[1]

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self.forward(weight.new_ones((1, *shape[1:])), weight, None)

    def along_outputs(self, values: Tensor) -> Tensor:
        return values
