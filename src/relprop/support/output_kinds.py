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


def predicted_classes(scores: Tensor, probabilities: Tensor | None) -> Tensor | None:
    """Return the class with the largest score, (n,); of one unit, whether its p is above 1/2.

    Args:
        scores: Scores that rise with the probabilities, (n, ...).
        probabilities: Probabilities of the same shape, if there are any.

    Returns:
        Classes; None for what is not by classes, and for one unit without a probability.
    """
    if is_classification(scores):
        return scores.argmax(1)
    if probabilities is not None and has_one_unit(scores):
        return (probabilities.reshape(-1) > 0.5).long()
    return None


def both_classes(probabilities: Tensor) -> Tensor:
    """Write the probability p of one unit as those of two classes, (n, 2): 1 - p and p."""
    p = probabilities.reshape(-1)
    return torch.stack([1 - p, p], 1)
