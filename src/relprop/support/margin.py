"""The margin: by how much a classifier prefers the strongest class to the second strongest."""

from typing import Literal

from torch import Tensor

from ..errors import InputError
from .checks import is_classification, require_classes
from .output_kinds import both_classes, has_one_unit


def margin(scores: Tensor, on: Literal["probabilities", "scores"] = "probabilities") -> Tensor:
    """Measure a classifier's confidence by (max - second max) / max of each row.

    Args:
        scores: Raw output of a classifier, (n, classes) with at least two classes.
        on: "probabilities" takes the softmax of the scores first, so that the margin lies in
            [0, 1]. "scores" takes them as they are: the margin then has no bounds, and no meaning
            where the largest score is not positive.

    Returns:
        One margin per sample, (n,).

    Raises:
        InputError: `scores` is not (n, classes), or `on` has another value.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[4.0, 3.0, 0.0], [2.0, 2.0, 1.0]])
        >>> margin(scores, on="scores").tolist()
        [0.25, 0.0]
        >>> round(margin(scores)[0].item(), 3)
        0.632
    """
    require_classes(scores, "scores", "pass the classifier's output for a batch")
    if on not in ("probabilities", "scores"):
        raise InputError(f"on={on!r}", '"probabilities" or "scores"', 'write on="probabilities"')
    if on == "probabilities":
        scores = scores.softmax(1)
    first, second = scores.topk(2, dim=1).values.unbind(1)
    return (first - second) / first


def probability_margin(p: Tensor | None) -> Tensor | None:
    """Return the margin of probabilities (n, classes), or (n,) of one unit; None of all else."""
    if p is not None and has_one_unit(p):
        p = both_classes(p)
    return margin(p, "scores") if p is not None and is_classification(p) else None
