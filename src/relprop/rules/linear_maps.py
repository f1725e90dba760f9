"""Linear maps: which input reaches which output through which weight, there and back.

One class for each geometry: dense layers, convolutions, average pooling.

    x  (batch, *in)     the input                 z  (batch, *out)   W x + b
    s  (batch, *out)    what is carried back      shape              that of x
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class LinearMap(Protocol):
    """The geometry of a weighted sum: which input reaches which output through which weight."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b."""

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """W^T s, of the input's shape."""

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """`transpose` with every weight set to one."""

    def beside(self, one: Tensor, other: Tensor) -> Tensor:
        """Two weights as one, for `transpose_both`."""

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        """`transpose` with either of two weights, in one pass."""

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """Number of inputs that reach each output, of a shape that broadcasts to (1, *out)."""

    def along_outputs(self, bias: Tensor) -> Tensor:
        """A bias (out channels,) in a shape that broadcasts to the output."""


@dataclass(frozen=True)
class Dense:
    """`torch.nn.functional.linear`: the last dimension of x against the rows of the weight."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # of others torch makes a product for each entry of the first dimension
        return functional.linear(x.contiguous(), weight, bias)

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s.contiguous() @ weight

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s.sum(-1, keepdim=True).expand(tuple(shape))

    def beside(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.cat([one, other], 1)

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return self.transpose(s, both, shape).chunk(2, -1)

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return weight.new_full((1,) * len(shape), weight.shape[1])

    def along_weight(self, factor: Tensor, weight: Tensor) -> Tensor:
        """Numbers (out channels,) in a shape that broadcasts to the weight of those outputs."""
        return factor[:, None]

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias


@dataclass(frozen=True)
class Convolution:
    """A convolution of any number of dimensions, transposed or not.

    before, after  zeros put around each spatial dimension, first dimension first
    layout         of the x that was met first: torch copies an s that is not of the same
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
        """Zeros at the far end beyond those at the near end, in the order of functional.pad."""
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
        return self._back(s, weight, shape, self.groups)

    def _back(self, s: Tensor, weight: Tensor, shape: Sequence[int], groups: int) -> Tensor:
        s, weight = _of_one_dtype(s, weight)
        like = torch.empty(  # never read, but torch would copy an expanded one
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
        each = [shape[0], groups, *shape[2:]]
        if self._is_window(kernel):
            back = _spread_window(total, each, kernel, self.stride, self.before)
        else:
            back = self._back(total, weight.new_ones((groups, 1, *kernel)), each, groups)
        return back.repeat_interleave(shape[1] // groups, 1)

    def beside(self, one: Tensor, other: Tensor) -> Tensor:
        if not self.transposed:
            return torch.cat([one, other], 1)
        rows, *rest = one.shape
        parts = [w.reshape(self.groups, rows // self.groups, *rest) for w in (one, other)]
        return torch.cat(parts, 1).flatten(0, 1)

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        batch, inputs, *spatial = shape
        back = self.transpose(s, both, [batch, 2 * inputs, *spatial])
        parts = back.reshape(batch, self.groups, 2, -1, *spatial)  # each group has both
        return tuple(part.reshape(tuple(shape)) for part in parts.unbind(2))

    def _is_window(self, kernel: Sequence[int]) -> bool:
        """Whether an average pool has windows such as these."""
        narrow = all(2 * pad <= size for pad, size in zip(self.before, kernel, strict=True))
        return len(kernel) == 2 and narrow and set(self.dilation) == {1} and not any(self._extra)

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """The same for all channels, (1, 1, *out)."""
        inputs, kernel = shape[1] // self.groups, weight.shape[2:]
        ones = weight.new_ones((inputs, 1, *kernel) if self.transposed else (1, inputs, *kernel))
        x = weight.new_ones((1, inputs, *shape[2:]))
        return replace(self, groups=1).forward(x, ones, None)

    def along_weight(self, factor: Tensor, weight: Tensor) -> Tensor:
        """Numbers (out channels,) in a shape that broadcasts to the weight of those outputs."""
        if not self.transposed:
            return factor.reshape(-1, *[1] * (weight.ndim - 1))
        # (in, out / groups, *kernel): which outputs a row holds depends on its group
        rows = factor.reshape(self.groups, -1).repeat_interleave(weight.shape[0] // self.groups, 0)
        return rows.reshape(*rows.shape, *[1] * (weight.ndim - 2))

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias.reshape(-1, *[1] * len(self.stride))


def _of_one_dtype(s: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both as they can be convolved, where autocast, which does not see it, left s fewer bits.

    bfloat16 is fast on tensor cores; for float16, relevance per unit of a sum may be too large.
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
    """Each s to all of its window: a tenth of the time that a convolution by ones takes."""
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

    def beside(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.stack([one, other])

    def transpose_both(self, s: Tensor, both: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
        back = self.transpose(s, torch.ones_like(both[0]), shape)
        return back * both[0], back * both[1]

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self.forward(weight.new_ones((1, *shape[1:])), weight, None)

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias
