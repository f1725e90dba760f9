"""What relevance is multiplied by on its way back.

Made in the forward pass and kept for the way back. What is released serves once more, and its
memory takes the result: to write where nothing was written before costs more than the arithmetic.

c  what arrives          z  a sum that c is relevance per unit of
"""

from collections.abc import Callable

import torch
from torch import Tensor


class Factor:
    """The function from c to c times a tensor, or what else an operation makes of the two.

    own  the tensor is nobody else's as soon as it is released
    """

    def __init__(
        self, value: Tensor, operation: Callable[..., Tensor] = torch.mul, own: bool = True
    ) -> None:
        self._value = value
        self._operation = operation
        self._own = own
        self._released = False

    def release(self) -> None:
        """The next call is the last."""
        self._released = self._own

    def __call__(self, c: Tensor) -> Tensor:
        """The result, of the shape of c."""
        room = self._value if self._released and alike(c, self._value) else None
        return self._operation(c, self._value, out=room)


def gate(c: Tensor, z: Tensor, out: Tensor | None = None) -> Tensor:
    """C where z > 0, and 0 elsewhere."""
    backward = torch.ops.aten.threshold_backward
    if out is None:
        return backward(c, z, 0)  # type: ignore[no-any-return]
    return backward.grad_input(c, z, 0, grad_input=out)  # type: ignore[no-any-return]


class Damping:
    """The function from c to c |z| / (|z| + epsilon).

    The factor is made on the first way back, takes the place of z, and serves those that follow.
    nonnegative  z is >= 0
    """

    def __init__(self, z: Tensor, epsilon: float | Tensor, nonnegative: bool) -> None:
        self._z: Tensor | None = z
        self._epsilon = epsilon
        self._nonnegative = nonnegative
        self._factor: Factor | None = None
        self._released = False

    def release(self) -> None:
        """The next call is the last, and z is nobody else's."""
        self._released = True
        if self._factor is not None:
            self._factor.release()

    def __call__(self, c: Tensor) -> Tensor:
        """Damped c, of its shape."""
        if self._factor is not None:
            return self._factor(c)
        assert self._z is not None
        if self._released and alike(c, self._z) and _has_inverse(self._epsilon, c.dtype):
            return self._overwriting(c, self._z)
        size = self._z if self._nonnegative else self._z.abs()
        if torch.is_grad_enabled():
            return damp(c, size, self._epsilon)
        factor = size + self._epsilon
        self._z, self._factor = None, Factor(torch.div(size, factor, out=factor))
        return self._factor(c)

    def _overwriting(self, c: Tensor, z: Tensor) -> Tensor:
        """C - c / u for u = 1 + |z| / epsilon, in the memory of z: exactly 0 where z is 0."""
        size, epsilon = z if self._nonnegative else z.abs_(), self._epsilon
        if isinstance(epsilon, Tensor):
            u = size.div_(epsilon).add_(1)
        else:
            u = torch.add(z.new_ones(()), size, alpha=1 / epsilon, out=z)
        return torch.addcdiv(c, c, u, value=-1, out=z)


def _has_inverse(epsilon: float | Tensor, dtype: torch.dtype) -> bool:
    return isinstance(epsilon, Tensor) or epsilon * torch.finfo(dtype).max >= 1


def damp(c: Tensor, size: Tensor, epsilon: float | Tensor) -> Tensor:
    """C size / (size + epsilon) for size >= 0."""
    return c * size / (size + epsilon)


def alike(c: Tensor, value: Tensor) -> bool:
    """Whether a result of c and a value fits into the memory of the value."""
    return c.shape == value.shape and c.dtype is value.dtype
