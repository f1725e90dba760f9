"""Linear maps: which input reaches which output through which weight, there and back.

One class for each geometry: dense layers, convolutions, average pooling.

    x  (batch, *in)     the input                 z  (batch, *out)   W x + b
    s  (batch, *out)    what is carried back      shape              that of x
"""

from collections.abc import Sequence
from dataclasses import dataclass
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

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """Number of inputs that reach each output, (1, *out)."""

    def along_outputs(self, bias: Tensor) -> Tensor:
        """A bias (out channels,) in a shape that broadcasts to the output."""


@dataclass(frozen=True)
class Dense:
    """`torch.nn.functional.linear`: the last dimension of x against the rows of the weight."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(x, weight, bias)

    def transpose(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s @ weight

    def spread(self, s: Tensor, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return s.sum(-1, keepdim=True).expand(tuple(shape))

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return weight.new_full((1,) * len(shape), weight.shape[1])

    def scale_outputs(self, weight: Tensor, factor: Tensor) -> Tensor:
        """The weight whose outputs are `factor` (out channels,) times those of `weight`."""
        return weight * factor[:, None]

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias


@dataclass(frozen=True)
class Convolution:
    """A convolution of any number of dimensions, transposed or not.

    before, after  zeros put around each spatial dimension, first dimension first
    """

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int

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
        like = s.new_empty(self._widen(shape))  # never read, but torch would copy an expanded one
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
        ones = weight.new_ones((groups, 1, *kernel))
        back = self._back(total, ones, [shape[0], groups, *shape[2:]], groups)
        return back.repeat_interleave(shape[1] // groups, 1)

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self.forward(weight.new_ones((1, *shape[1:])), torch.ones_like(weight), None)

    def scale_outputs(self, weight: Tensor, factor: Tensor) -> Tensor:
        """The weight whose outputs are `factor` (out channels,) times those of `weight`."""
        if not self.transposed:
            return weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        # (in, out / groups, *kernel): which outputs a row holds depends on its group
        rows = factor.reshape(self.groups, -1).repeat_interleave(weight.shape[0] // self.groups, 0)
        return weight * rows.reshape(*rows.shape, *[1] * (weight.ndim - 2))

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias.reshape(-1, *[1] * len(self.stride))


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

    def count(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        return self.forward(weight.new_ones((1, *shape[1:])), weight, None)

    def along_outputs(self, bias: Tensor) -> Tensor:
        return bias
