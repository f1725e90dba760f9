"""What relevance is multiplied by on its way back.

Made in the forward pass and kept for the way back. What is released serves once more, and its
memory takes the result: to write where nothing was written before costs more than the arithmetic.

c  what arrives          z  a sum that c is relevance per unit of
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..support.numerics import scalar
from .backward import Absorbed, Back


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

    def __call__(self, c: Tensor, in_place: bool = False) -> Tensor:
        """The result, of the shape of c. It may take the memory of c, if `in_place`."""
        room = self._value if self._released and alike(c, self._value) else None
        if in_place and room is None and c.dtype is self._value.dtype:
            room = c
        return self._operation(c, self._value, out=room)


def gate(c: Tensor, z: Tensor, out: Tensor | None = None) -> Tensor:
    """C where z > 0, and 0 elsewhere."""
    backward = torch.ops.aten.threshold_backward
    if out is None:
        return backward(c, z, 0)  # type: ignore[no-any-return]
    return backward.grad_input(c, z, 0, grad_input=out)  # type: ignore[no-any-return]


class Damping:
    """The function from c to c |z| / (|z| + epsilon), as c / u for u = 1 + epsilon / |z|.

    So each step of it may overwrite the one before, and c of a sum of 0 becomes 0 exactly. u is
    made on the first way back, and serves those that follow.
    nonnegative  z is >= 0
    """

    def __init__(self, z: Tensor, epsilon: float | Tensor, nonnegative: bool) -> None:
        self._z: Tensor | None = z
        self._epsilon = epsilon
        self._nonnegative = nonnegative
        self._by_u: Factor | None = None
        self._released = False

    def release(self) -> None:
        """The next call is the last, and z is nobody else's."""
        self._released = True
        if self._by_u is not None:
            self._by_u.release()

    def __call__(self, c: Tensor, in_place: bool = False) -> Tensor:
        """Damped c, of its shape. It may take the memory of c, if `in_place`."""
        if self._by_u is None:
            assert self._z is not None
            if torch.is_grad_enabled():  # u has no gradient where z is 0
                return damp(c, self._z.abs(), self._epsilon)
            self._by_u = Factor(self._u(self._z), torch.div)
            self._z = None
            if self._released:
                self._by_u.release()
        return self._by_u(c, in_place)

    def _u(self, z: Tensor) -> Tensor:
        room = z if self._released else None
        size = z if self._nonnegative else torch.abs(z, out=room)
        return torch.div(scalar(self._epsilon, size), size, out=room).add_(1)


def carried(
    share: Factor | Damping,
    carry: Callable[[Tensor], Tensor],
    absorbed: Callable[[Tensor], Absorbed],
) -> Back:
    """The way back by a factor first, and then along weights, which give a tensor of their own."""
    return Back(
        lambda v: carry(share(v)),
        absorbed,
        share.release,
        lambda v: carry(share(v, in_place=True)),
    )


def damp(c: Tensor, size: Tensor, epsilon: float | Tensor) -> Tensor:
    """C size / (size + epsilon) for size >= 0."""
    return c * size / (size + epsilon)


def added(own: Tensor, other: Tensor, alpha: float = 1) -> Tensor:
    """Own + alpha other; in the memory of `own`, which nobody else has, if autograd is off."""
    add = Tensor.add if torch.is_grad_enabled() else Tensor.add_
    return add(own, other, alpha=alpha)


def alike(c: Tensor, value: Tensor) -> bool:
    """Whether a result of c and a value fits into the memory of the value."""
    return c.shape == value.shape and c.dtype is value.dtype
