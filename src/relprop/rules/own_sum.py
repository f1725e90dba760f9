"""Runs one share whose denominator is the layer's own sum z: LRP-0 and epsilon.

Takes the stabiliser and a lowered layer, gives the function that runs it. Holds the buffers that
all ways to run use: after `release()` the next call of a multiplier is the last, and may write its
result into the multiplier's own memory: touching fresh memory costs more than the arithmetic.

    c  relevance per unit of the result       z  (batch, *out)  W x + b       s  R / denominator
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..graph.ir import Values
from ..support.numerics import divide, signed, stabilise
from .backward import Absorbed, Back, Cause, Form
from .linear_maps import bias_of, transposed, weighted_sum
from .lowered_layer import LoweredLayer, RunLayer
from .shares import Relative


def run_own_sum(stabiliser: float | Relative, layer: LoweredLayer) -> RunLayer:
    """Build the function that runs a layer by x_i w_ij / (z_j + stabiliser sign z_j)."""
    exact = stabiliser == 0

    def run(values: Values) -> tuple[Tensor, Back]:
        x, linear_map, weights = layer.read(values)
        z = weighted_sum(linear_map, x, weights)
        result = activated(layer, values, z)
        size = _measured(stabiliser, z, layer.sample_dims)
        multiply = _multiplier(z, result, None if exact else size, layer)
        sign = result if layer.keeps_sign else z  # z may be overwritten
        shape = x.shape  # so that the backward pass does not keep x alive
        owned = not isinstance(multiply, Unchanged)

        def pull(v: Tensor) -> Tensor:
            return transposed(linear_map, multiply(v), weights, shape, overwrite=owned)

        def pull_in_place(v: Tensor) -> Tensor:
            s = multiply(v, in_place=True)
            return transposed(linear_map, s, weights, shape, overwrite=True)

        def absorbed(v: Tensor) -> Absorbed:
            s = multiply(v)
            amounts: dict[Cause, Tensor] = {"bias": s * bias_of(linear_map, weights)}
            if not exact:
                amounts["stabiliser"] = s * signed(sign, size)
            elif layer.arriving is Form.RELEVANCE:  # what arrives at a sum of exactly 0
                amounts["zero denominator"] = v * (sign == 0)
            return amounts

        return result, Back(pull, absorbed, multiply.release, pull_in_place)

    return run


def _measured(stabiliser: float | Relative, z: Tensor, dims: tuple[int, ...]) -> float | Tensor:
    """Return a stabiliser in units of z: (batch, 1, ...) if it is relative."""
    if not isinstance(stabiliser, Relative):
        return stabiliser
    mean = z.square().mean(dims, keepdim=True)
    return stabiliser.epsilon * torch.where(mean == 0, 1, mean).sqrt()


def activated(layer: LoweredLayer, values: Values, z: Tensor) -> Tensor:
    """Compute the layer's result from z, which a ReLU overwrites."""
    if layer.relu:
        return z.relu_()
    return z if layer.activate is None else layer.activate(values, z)


def _multiplier(
    z: Tensor, result: Tensor, stabiliser: float | Tensor | None, layer: LoweredLayer
) -> "Multiplier | Damping | Unchanged":
    """Choose the cheapest function from the relevance that arrives to s = R / (z + stabiliser)."""
    if layer.arriving is Form.RELEVANCE:
        if stabiliser is None:
            return Multiplier(z, lambda r, z, out: divide(r, z), owned=False)
        return Multiplier(stabilise(z, stabiliser), torch.div)
    if layer.activate is None:  # R = c z, or c relu(z): a gate, or nothing, times the damping
        if stabiliser is None:
            return Multiplier(z, gate) if layer.relu else Unchanged()
        return Damping(z, stabiliser, layer.relu)
    if layer.keeps_sign and not torch.is_grad_enabled():
        # f(z) / z is >= 0, so that |f(z)| / |z| is the same, and fits into the memory of z.
        size = z.abs_()
        tiny = torch.finfo(z.dtype).tiny
        size = size.clamp_(min=tiny) if stabiliser is None else size.add_(stabiliser)
        return Multiplier(torch.div(result, size, out=size).abs_())
    if stabiliser is None:
        return Multiplier(divide(result, z))
    return Multiplier(divided(result, stabilise(z, stabiliser)))


def divided(result: Tensor, denominator: Tensor) -> Tensor:
    """Divide, in the memory of the denominator unless autograd needs its values."""
    return torch.div(result, denominator, out=None if torch.is_grad_enabled() else denominator)


class Multiplier:
    """Multiplies what it is called with by a tensor, or combines the two by another operation.

    Attributes:
        owned: Whether nobody else uses the tensor after `release`.
    """

    def __init__(
        self, value: Tensor, operation: Callable[..., Tensor] = torch.mul, owned: bool = True
    ) -> None:
        self._value = value
        self._operation = operation
        self._owned = owned
        self._released = False

    def release(self) -> None:
        """Allow the next call, the last one, to overwrite the tensor."""
        self._released = self._owned

    def __call__(self, c: Tensor, in_place: bool = False) -> Tensor:
        """Compute the result, of c's shape; with `in_place` it may overwrite c."""
        value = self._value
        out = value if self._released and fits(c, value) else None
        if in_place and out is None and c.dtype is value.dtype:
            out = c
        return self._operation(c, value, out=out)


class Unchanged:
    """Returns what it is called with: s = c, where relevance arrives per unit of z itself."""

    def release(self) -> None:
        """Do nothing: there is no buffer."""

    def __call__(self, c: Tensor, in_place: bool = False) -> Tensor:
        """Return c."""
        return c


class Damping:
    """Multiplies c by |z| / (|z| + epsilon), computed as c / u for u = 1 + epsilon / |z|.

    In this form each intermediate result may overwrite the one before, and c at a z of 0 becomes
    exactly 0. u is computed at the first call and serves those that follow.
    """

    def __init__(self, z: Tensor, epsilon: float | Tensor, nonnegative: bool) -> None:
        self._z: Tensor | None = z
        self._epsilon = epsilon
        self._nonnegative = nonnegative
        self._divisor: Multiplier | None = None
        self._released = False

    def release(self) -> None:
        """Allow the next call, the last one, to overwrite z."""
        self._released = True
        if self._divisor is not None:
            self._divisor.release()

    def __call__(self, c: Tensor, in_place: bool = False) -> Tensor:
        """Damp c; with `in_place` the result may overwrite c."""
        if self._divisor is None:
            assert self._z is not None
            if torch.is_grad_enabled():  # u has no gradient where z is 0
                return damp(c, self._z.abs(), self._epsilon)
            self._divisor = Multiplier(self._compute_divisor(self._z), torch.div)
            self._z = None
            if self._released:
                self._divisor.release()
        return self._divisor(c, in_place)

    def _compute_divisor(self, z: Tensor) -> Tensor:
        """Compute u, in the memory of z after `release`."""
        out = z if self._released else None
        size = z if self._nonnegative else torch.abs(z, out=out)
        epsilon = self._epsilon
        epsilon = epsilon if isinstance(epsilon, Tensor) else size.new_full((), epsilon)
        return torch.div(epsilon, size, out=out).add_(1)


def gate(c: Tensor, z: Tensor, out: Tensor | None = None) -> Tensor:
    """Keep c where z > 0, and set it to 0 elsewhere: the backward pass of a ReLU."""
    backward = torch.ops.aten.threshold_backward
    if out is None:
        return backward(c, z, 0)  # type: ignore[no-any-return]
    return backward.grad_input(c, z, 0, grad_input=out)  # type: ignore[no-any-return]


def damp(c: Tensor, size: Tensor, epsilon: float | Tensor) -> Tensor:
    """Multiply c by size / (size + epsilon), for size >= 0."""
    return c * size / (size + epsilon)


def add_to(own: Tensor, other: Tensor, alpha: float = 1) -> Tensor:
    """Compute own + alpha other; in the memory of `own`, unless autograd needs its values."""
    add = Tensor.add if torch.is_grad_enabled() else Tensor.add_
    return add(own, other, alpha=alpha)


def fits(c: Tensor, value: Tensor) -> bool:
    """Tell whether a result computed from c and a value fits into the memory of the value."""
    return c.shape == value.shape and c.dtype is value.dtype
