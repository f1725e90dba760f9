"""Runs operations that are not weighted sums so that they can be differentiated.

x   the inputs that receive relevance          z   the result
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ..errors import PlanError
from ..support.torch_messages import operation_without_derivative


class Vjp:
    """The vector-Jacobian product c -> J^T c of a result. Keeps no tensor that it does not need."""

    def __init__(self, result: Tensor, leaves: tuple[Tensor, ...]) -> None:
        self._result = get_gradient_edge(result) if result.requires_grad else None
        self._leaves: Sequence[Tensor] | Sequence[GradientEdge] = leaves
        if not all(leaf.is_leaf for leaf in leaves):  # an edge does not keep values alive
            self._leaves = tuple(map(get_gradient_edge, leaves))
        self.exists = self._result is not None  # else torch takes the result for a constant
        self._like = tuple((leaf.shape, leaf.dtype, leaf.device) for leaf in leaves)

    def __call__(self, c: Tensor) -> tuple[Tensor, ...]:
        """Compute J^T c, one tensor for each leaf. PlanError where torch has no derivative."""
        return tuple(
            torch.zeros(shape, dtype=dtype, device=device) if g is None else g
            for g, (shape, dtype, device) in zip(self._gradients(c), self._like, strict=True)
        )

    def _gradients(self, c: Tensor) -> Sequence[Tensor | None]:
        if self._result is None:  # such as the result of detach
            return [None] * len(self._leaves)
        create_graph = torch.is_grad_enabled()
        try:
            return torch.autograd.grad(
                self._result,
                self._leaves,
                c,
                retain_graph=True,
                create_graph=create_graph,
                allow_unused=True,
            )
        except RuntimeError as error:
            raise _no_derivative(error) from error


@dataclass(frozen=True)
class Traced:
    """One operation that was run on a batch: all that a rule may know of it.

    Attributes:
        function: Computes z from x; every other argument is bound.
        smooth: The same from operations that torch can differentiate twice and forward.
        x: The inputs that receive relevance.
        z: The result.
        places: Positions of x among the operation's arguments.
        vjp: Computes J^T c for the derivative J of z by x: one tensor for each x.
    """

    function: Callable[..., Tensor]
    smooth: Callable[..., Tensor]
    x: tuple[Tensor, ...]
    z: Tensor
    places: tuple[int, ...]
    vjp: Callable[[Tensor], tuple[Tensor, ...]]

    def tangent(self, *directions: Tensor) -> Tensor:
        """Compute J d for one direction d per x, of z's shape: the derivative of (J^T u) d by u."""
        with torch.enable_grad():
            leaves = tuple(leaf(value) for value in self.x)
            z = self.smooth(*leaves)
            if not z.requires_grad:
                return torch.zeros_like(z)
            u = torch.ones_like(z).requires_grad_()  # not 0, of which logcumsumexp takes the log
            pulled = torch.autograd.grad(z, leaves, u, create_graph=True, materialize_grads=True)
            along = [(g * d).sum() for g, d in zip(pulled, directions, strict=True)]
            total = torch.stack(along).sum()
            if not total.requires_grad:  # such as that of round: its derivative is zero everywhere
                return torch.zeros_like(z)
            try:
                (pushed,) = torch.autograd.grad(total, u, materialize_grads=True)
            except RuntimeError as error:
                raise _no_second_derivative(error) from error
        return pushed

    def at(self, value: float) -> Tensor:
        """Compute the result for an x that has this value everywhere."""
        return self.function(*(torch.full_like(x, value) for x in self.x))


def _no_derivative(error: RuntimeError) -> Exception:
    """Name an operation that torch cannot differentiate; return any other error unchanged."""
    name = operation_without_derivative(error)
    if name is None or name.endswith("_backward"):
        return error
    return without_gradient(name, name)


def without_gradient(where: str, operation: str) -> PlanError:
    """Return the error for an operation that takes its gradient, and has none in torch."""
    return PlanError(
        f"the gradient of {where}, which torch does not have",
        "an operation that torch can differentiate, or one that is held constant",
        f'explainer.recipe.using(relprop.Selector(operation="{operation}"), "constant")',
    )


def _no_second_derivative(error: RuntimeError) -> Exception:
    """Name the operation whose gradient torch cannot differentiate; else return the error."""
    name = operation_without_derivative(error)
    if name is None:
        return error
    operation = name.removeprefix("_").removesuffix("_backward")
    return PlanError(
        f"a ledger of {operation}, whose gradient torch cannot differentiate",
        "an explanation without a ledger, or an operation that is held constant",
        "leave out ledger=True, or write "
        f'recipe.using(relprop.Selector(operation="{operation}"), "constant")',
    )


def trace(
    function: Callable[..., Tensor],
    x: tuple[Tensor, ...],
    places: tuple[int, ...] = (),
    smooth: Callable[..., Tensor] | None = None,
    vjp: Callable[[Tensor], tuple[Tensor, ...]] | None = None,
) -> Traced:
    """Run an operation on x.

    The result is attached to the autograd graph only if grad mode is on.

    Args:
        function: Computes the result from x.
        x: The inputs that receive relevance.
        places: Their positions among the operation's arguments.
        smooth: The same from operations that torch can differentiate twice; None: `function`.
        vjp: Computes J^T c; None: by autograd.
    """
    tracked, smooth = torch.is_grad_enabled(), smooth or function
    if vjp is not None:
        return Traced(function, smooth, x, (smooth if tracked else function)(*x), places, vjp)
    with torch.enable_grad():
        leaves = tuple(leaf(value) for value in x) if tracked else _detached(x)
        result = smooth(*leaves) if tracked else function(*leaves)
    z = result if tracked else result.detach()
    return Traced(function, smooth, x, z, places, Vjp(result, leaves))


def _detached(x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.detach().requires_grad_() for value in x)


def leaf(value: Tensor) -> Tensor:
    """Return a distinct autograd alias, so that gradients of separate uses stay separate."""
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()
