"""Targets that are functions of the output: their gradient, which must not mix the samples.

Takes a function and the output. Gives initial relevance per unit of score. Must not know models.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..support.separate_samples import mixes_gradients, mixes_values, same_alone
from .target_advice import bad_target, example_entry


def gradient_of(function: Callable[[Tensor], Tensor], output: Tensor) -> Tensor:
    """Return the gradient of a function's result for each sample, of the output's shape.

    Raises:
        InputError: The function does not return one number per sample, computed from the output of
            this sample alone.
    """
    with torch.enable_grad():
        leaf = output.detach().requires_grad_()
        score = function(leaf.clone())  # the function may overwrite its argument
    if not isinstance(score, Tensor) or score.shape != output.shape[:1]:
        got = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
        raise bad_target(
            f"a function that returned {got} for a batch of {len(output)}",
            f"return one number per sample, such as {_example(output)}",
        )
    if not score.requires_grad:
        raise _constant()
    (c,) = torch.autograd.grad(
        score, leaf, torch.ones_like(score), allow_unused=True, retain_graph=len(output) > 1
    )
    if c is None:
        raise _constant()
    if not same_alone(function, leaf, score):
        _refuse_mixed(function, leaf, score, c)
    return c


def _refuse_mixed(
    function: Callable[[Tensor], Tensor], leaf: Tensor, score: Tensor, c: Tensor
) -> None:
    """Refuse a function whose entry i depends on other rows of the output than row i."""
    if mixes_gradients(leaf, score, c) or mixes_values(function, leaf, score):
        raise bad_target(
            "a function that mixes the samples of a batch: what it returns for one depends on the "
            "output of another",
            f"keep the first dimension, as {_example(leaf)} does, and reduce over all others only",
            "a function whose entry i is computed from output[i] alone",
        )


def _constant() -> Exception:
    return bad_target("a function that does not depend on the output", "compute it from the output")


def _example(output: Tensor) -> str:
    index = "".join(f", {i}" for i in example_entry(output.shape, 3))
    return f"lambda output: output[:{index}]"
