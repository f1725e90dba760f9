"""Relevance compared by its norm, in float64."""

import torch
from torch import Tensor, nn

import relprop

CLOSE = 1e-10  # of the norm: float64 rounding through a few layers, divisions by z near 0 included


def explain(net: nn.Module, x: Tensor, recipe: relprop.Recipe | str, **how: object) -> Tensor:
    return relprop.Explainer(net, recipe)(x, **how).relevance


def assert_same(got: Tensor, want: Tensor, close: float = CLOSE) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    assert torch.isfinite(got).all()
    assert ((got - want).norm() / want.norm().clamp(min=1e-300)).item() <= close


def passing_through(recipe: relprop.Recipe, net: nn.Module) -> relprop.Recipe:
    """Add rows that pass relevance unchanged through activations with f(0) != 0.

    As the reference does, which carries relevance itself.
    """
    for name, module in net.named_modules():
        if isinstance(module, (nn.Sigmoid, nn.Softplus)):
            recipe = recipe.using(name, "pass-through")
    return recipe
