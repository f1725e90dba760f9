"""Operations that are no weighted sums, run on a batch so that they can be differentiated.

x   the inputs that receive relevance          z   the result
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True)
class Traced:
    """One operation, run: all that a rule may know of it.

    function  from x to z; every other argument is held as it is
    x         the inputs that receive relevance
    z         the result
    places    their positions among the operation's arguments
    """

    function: Callable[..., Tensor]
    x: tuple[Tensor, ...]
    z: Tensor
    places: tuple[int, ...]
    _leaves: tuple[Tensor, ...]
    _result: Tensor

    def adjoint(self, c: Tensor) -> tuple[Tensor, ...]:
        """J^T c for the derivative J of z by x: one tensor for each x."""
        again = torch.is_grad_enabled()
        return torch.autograd.grad(
            self._result,
            self._leaves,
            c,
            retain_graph=True,
            create_graph=again,
            materialize_grads=True,
        )

    def tangent(self, *directions: Tensor) -> Tensor:
        """J d for one direction d for each x, of z's shape."""
        # fused attention has no derivative in this direction; torch 2.13 warns of its own scripts
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*torch.jit.script", category=DeprecationWarning
            )
            pushed: Tensor = torch.func.jvp(self.function, self.x, directions)[1]
        return pushed

    def at(self, value: float) -> Tensor:
        """The result for an x that has this value everywhere."""
        return self.function(*(torch.full_like(x, value) for x in self.x))


def trace(
    function: Callable[..., Tensor], x: tuple[Tensor, ...], places: tuple[int, ...] = ()
) -> Traced:
    """Run `function` on x. Its result has a history for autograd only where the caller asks."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = tuple(leaf(value) for value in x) if again else _fresh(x)
        result = function(*leaves)
    return Traced(function, x, result if again else result.detach(), places, leaves, result)


def _fresh(x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.detach().requires_grad_() for value in x)


def leaf(value: Tensor) -> Tensor:
    """The value at a place of its own, so that its derivative is not that of its other places."""
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()


def frozen_normalisation(operation: str, x: Tensor, rest: list[Any]) -> Callable[[Tensor], Tensor]:
    """A normalisation as the linear map that is left when its scale is held at what x gives it."""
    return _FROZEN[operation](x, *rest)


def _layer_norm(
    x: Tensor,
    shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = True,
) -> Callable[[Tensor], Tensor]:
    dims = tuple(range(-len(shape), 0))
    scale = (x.var(dims, keepdim=True, unbiased=False) + eps).rsqrt()
    return lambda u: _affine((u - u.mean(dims, keepdim=True)) * scale, weight, bias)


def _rms_norm(
    x: Tensor, shape: list[int], weight: Tensor | None = None, eps: float | None = None
) -> Callable[[Tensor], Tensor]:
    dims = tuple(range(-len(shape), 0))
    small = torch.finfo(x.dtype).eps if eps is None else eps
    scale = (x.square().mean(dims, keepdim=True) + small).rsqrt()
    return lambda u: _affine(u * scale, weight, None)


def _group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = True,
) -> Callable[[Tensor], Tensor]:
    grouped = x.reshape(x.shape[0], groups, -1)
    scale = (grouped.var(-1, keepdim=True, unbiased=False) + eps).rsqrt()

    def function(u: Tensor) -> Tensor:
        parts = u.reshape(u.shape[0], groups, -1)
        even = ((parts - parts.mean(-1, keepdim=True)) * scale).reshape(u.shape)
        return _affine(even, _along_channels(weight, u), _along_channels(bias, u))

    return function


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    own_statistics: bool,
    momentum: float,
    eps: float,
    cudnn: bool = True,
) -> Callable[[Tensor], Tensor]:
    if own_statistics:
        return _group_norm(x, x.shape[1], weight, bias, eps)
    assert mean is not None
    assert variance is not None
    scale, shift = (variance + eps).rsqrt(), mean
    return lambda u: _affine(
        (u - _along_channels(shift, u)) * _along_channels(scale, u),
        _along_channels(weight, u),
        _along_channels(bias, u),
    )


def _along_channels(value: Tensor | None, like: Tensor) -> Any:
    return None if value is None else value.reshape(-1, *[1] * (like.ndim - 2))


def _affine(u: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    u = u if weight is None else u * weight
    return u if bias is None else u + bias


_FROZEN: dict[str, Callable[..., Callable[[Tensor], Tensor]]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
}
