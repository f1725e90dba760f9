"""Operations that are no weighted sums, run on a batch so that they can be differentiated.

x   the inputs that receive relevance          z   the result
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ..errors import PlanError


class Adjoint:
    """The derivative of a result, transposed. Keeps no number that it does not need."""

    def __init__(self, result: Tensor, leaves: tuple[Tensor, ...]) -> None:
        self._result = get_gradient_edge(result) if result.requires_grad else None
        self._leaves: Sequence[Tensor] | Sequence[GradientEdge] = leaves
        if not all(leaf.is_leaf for leaf in leaves):  # an edge does not keep its numbers
            self._leaves = tuple(map(get_gradient_edge, leaves))
        self._like = tuple((leaf.shape, leaf.dtype, leaf.device) for leaf in leaves)

    def __call__(self, c: Tensor) -> tuple[Tensor, ...]:
        """J^T c: one tensor for each leaf. Raises PlanError where torch has no derivative."""
        return tuple(
            torch.zeros(shape, dtype=dtype, device=device) if g is None else g
            for g, (shape, dtype, device) in zip(self._found(c), self._like, strict=True)
        )

    def _found(self, c: Tensor) -> Sequence[Tensor | None]:
        if self._result is None:  # as of detach
            return [None] * len(self._leaves)
        again = torch.is_grad_enabled()
        try:
            return torch.autograd.grad(
                self._result,
                self._leaves,
                c,
                retain_graph=True,
                create_graph=again,
                allow_unused=True,
            )
        except RuntimeError as error:
            raise _no_derivative(error) from error


@dataclass(frozen=True)
class Traced:
    """One operation, run: all that a rule may know of it.

    function  from x to z; every other argument is held as it is
    smooth    the same out of operations that torch can differentiate twice and in a direction
    x         the inputs that receive relevance
    z         the result
    places    their positions among the operation's arguments
    adjoint   c -> J^T c for the derivative J of z by x: one tensor for each x
    """

    function: Callable[..., Tensor]
    smooth: Callable[..., Tensor]
    x: tuple[Tensor, ...]
    z: Tensor
    places: tuple[int, ...]
    adjoint: Callable[[Tensor], tuple[Tensor, ...]]

    def tangent(self, *directions: Tensor) -> Tensor:
        """J d for one direction d for each x, of z's shape: the derivative of J^T u by u, at d."""
        with torch.enable_grad():
            leaves = tuple(leaf(value) for value in self.x)
            z = self.smooth(*leaves)
            if not z.requires_grad:
                return torch.zeros_like(z)
            u = torch.zeros_like(z).requires_grad_()
            pulled = torch.autograd.grad(z, leaves, u, create_graph=True, materialize_grads=True)
            along = [(g * d).sum() for g, d in zip(pulled, directions, strict=True)]
            total = torch.stack(along).sum()
            if not total.requires_grad:  # as of round, whose derivative is zero everywhere
                return torch.zeros_like(z)
            (pushed,) = torch.autograd.grad(total, u, materialize_grads=True)
        return pushed

    def at(self, value: float) -> Tensor:
        """The result for an x that has this value everywhere."""
        return self.function(*(torch.full_like(x, value) for x in self.x))


def _no_derivative(error: RuntimeError) -> Exception:
    """The error for an operation that torch cannot differentiate; any other error as it is."""
    found = re.search(r"derivative for aten::(\w+) is not implemented", str(error))
    if found is None or found[1].endswith("_backward"):
        return error
    return PlanError(
        f"the gradient of {found[1]}, which torch does not have",
        "an operation that torch can differentiate, or one that is held constant",
        f'recipe.using(relprop.Selector(operation="{found[1]}"), "constant")',
    )


def trace(
    function: Callable[..., Tensor],
    x: tuple[Tensor, ...],
    places: tuple[int, ...] = (),
    smooth: Callable[..., Tensor] | None = None,
    adjoint: Callable[[Tensor], tuple[Tensor, ...]] | None = None,
) -> Traced:
    """Run `function` on x. Its result has a history for autograd only where the caller asks.

    adjoint  is made if it is not given
    """
    again, smooth = torch.is_grad_enabled(), smooth or function
    if adjoint is not None:
        return Traced(function, smooth, x, (smooth if again else function)(*x), places, adjoint)
    with torch.enable_grad():
        leaves = tuple(leaf(value) for value in x) if again else _fresh(x)
        result = smooth(*leaves) if again else function(*leaves)
    z = result if again else result.detach()
    return Traced(function, smooth, x, z, places, Adjoint(result, leaves))


def _fresh(x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.detach().requires_grad_() for value in x)


def leaf(value: Tensor) -> Tensor:
    """The value at a place of its own, so that its derivative is not that of its other places."""
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()
