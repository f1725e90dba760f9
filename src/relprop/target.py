"""Targets: what of the output is to be explained, as relevance per unit of output.

output  (batch, classes)      c  (batch, classes), the relevance of the output is output * c
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .errors import InputError

Target = int | str | Tensor | list[int] | tuple[Any, Any] | Callable[[Tensor], Tensor] | None

ALLOWED = (
    'None or "predicted", a class, one class per sample, "runner-up", '
    "a pair (a, b) of these, or a function of the output"
)


def resolve_target(output: Tensor, target: Target) -> tuple[Tensor, Tensor | None]:
    """The relevance per unit of output, and the class or classes that it stands for.

    Returns c (batch, classes), and the classes: (batch,), or (batch, 2) for a contrast pair, or
    None for a function of the output. For class k, c is 1 at k; for a pair (a, b), 1 at a and -1
    at b; for a function, its gradient, so that the relevance at the output is output * gradient,
    which sums to the function's value where that is linear in the output.
    Raises InputError for anything that is not `ALLOWED`.
    """
    if callable(target):
        return _gradient(output, target), None
    if isinstance(target, tuple):
        if len(target) != 2:
            raise _bad(f"a tuple of {len(target)}", "write (a, b), or a list for one per sample")
        a, b = (_classes(output, one) for one in target)
        if bool((a == b).any()):
            raise _bad("a pair of equal classes", "contrast two different classes")
        return _one_hot(output, a) - _one_hot(output, b), torch.stack([a, b], dim=1)
    classes = _classes(output, target)
    return _one_hot(output, classes), classes


def _bad(given: str, todo: str) -> InputError:
    return InputError(f"target is {given}", ALLOWED, todo)


def _one_hot(output: Tensor, classes: Tensor) -> Tensor:
    return torch.zeros_like(output).scatter_(1, classes[:, None], 1)


def _classes(output: Tensor, target: Any) -> Tensor:
    if target is None or (isinstance(target, str) and target == "predicted"):
        return output.argmax(1)
    if isinstance(target, str):
        if target != "runner-up":
            raise _bad(repr(target), 'write "runner-up"')
        return output.topk(2, dim=1).indices[:, 1]
    batch, count = output.shape
    labels = _labels(target, batch).to(output.device)
    if bool(((labels < 0) | (labels >= count)).any()):
        wrong = labels[(labels < 0) | (labels >= count)][0].item()
        raise _bad(f"class {wrong} of a model with {count} classes", f"give 0 to {count - 1}")
    return labels


def _labels(target: Any, batch: int) -> Tensor:
    if isinstance(target, bool):
        raise _bad(repr(target), "give a class number")
    try:
        labels = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise _bad(f"a {type(target).__name__}", "give class numbers") from None
    if labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool:
        raise _bad(f"of dtype {labels.dtype}", "give class numbers as integers: labels.long()")
    if labels.ndim == 0:
        return labels.long().expand(batch)
    if labels.shape != (batch,):
        given = f"of shape {tuple(labels.shape)} for a batch of {batch}"
        raise _bad(given, "give one class per sample, or one int for all")
    return labels.long()


def _gradient(output: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.enable_grad():
        leaf = output.detach().requires_grad_()
        score = function(leaf.clone())  # which the function may change in place
    if not isinstance(score, Tensor) or score.shape != output.shape[:1]:
        got = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
        todo = "return one number per sample, such as lambda output: output[:, 3] - output[:, 5]"
        raise _bad(f"a function that returned {got} for a batch of {len(output)}", todo)
    if not score.requires_grad:
        raise _bad("a function that does not depend on the output", "compute it from the output")
    (c,) = torch.autograd.grad(score, leaf, torch.ones_like(score), allow_unused=True)
    if c is None:
        raise _bad("a function that does not depend on the output", "compute it from the output")
    return c
