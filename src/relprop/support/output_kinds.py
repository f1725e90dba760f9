"""Kinds of output: what the numbers of a classifier are, and how they become probabilities.

Takes tensors and a kind. Must not know how the kind was found.

output  (n, ...)      n  samples
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from .checks import is_classification

# "probabilities" are of one class of many, "independent probabilities" of labels each for itself.
OutputKind = Literal[
    "logits", "log-probabilities", "probabilities", "independent probabilities", "other"
]
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)


def has_one_unit(output: Tensor) -> bool:
    """Tell whether an output has one number per sample, (n,) or (n, 1)."""
    return output.numel() == len(output)


def probabilities_of(output: Tensor, kind: OutputKind) -> Tensor | None:
    """Compute the probabilities that an output stands for, of its shape.

    Args:
        output: A model's output, (n, ...).
        kind: What its numbers are.

    Returns:
        Probabilities; None for another kind, and for logits that are not by classes.
    """
    if kind == "logits":
        return output.softmax(1) if is_classification(output) else None
    if kind == "log-probabilities":
        return output.exp()
    return None if kind == "other" else output


def largest_class(output: Tensor, scores: Tensor) -> Tensor:
    """Return the class with the largest output, (n,).

    Scores decide between classes of the same output, as where a sigmoid has reached 1. They decide
    nothing else: one softmax may be of some classes, and another one of the others.

    Args:
        output: What the model returns, (n, c).
        scores: The output itself, or its logits, (n, c).
    """
    if scores is output:
        return output.argmax(1)
    largest = output == output.amax(1, keepdim=True)
    return scores.masked_fill(~largest, -torch.inf).argmax(1)


def second_class(output: Tensor, scores: Tensor) -> Tensor:
    """Return the class with the second largest output, (n,); arguments as of `largest_class`."""
    largest = largest_class(output, scores)[:, None]
    others = output.scatter(1, largest, -torch.inf)
    return largest_class(others, others if scores is output else scores)


def predicted_classes(
    output: Tensor, scores: Tensor, probabilities: Tensor | None
) -> Tensor | None:
    """Return the class with the largest output, (n,); of one unit, whether its p is above 1/2.

    Args:
        output: What the model returns, (n, ...).
        scores: The output itself, or its logits, of the same shape.
        probabilities: Probabilities of the same shape, if there are any.

    Returns:
        Classes; None for what is not by classes, and for one unit without a probability.
    """
    if is_classification(output):
        return largest_class(output, scores)
    if probabilities is not None and has_one_unit(output):
        return (probabilities.reshape(-1) > 0.5).long()
    return None


def both_classes(probabilities: Tensor) -> Tensor:
    """Write the probability p of one unit as those of two classes, (n, 2): 1 - p and p."""
    p = probabilities.reshape(-1)
    return torch.stack([1 - p, p], 1)
