"""The margin: how far the strongest class leads the second strongest."""

from typing import Literal

from torch import Tensor

from ..errors import InputError


def margin(scores: Tensor, on: Literal["probabilities", "scores"] = "probabilities") -> Tensor:
    """(max - second max) / max of each row: the seed's measure of confidence.

    scores  (n, classes), the raw output of a classifier, at least two classes
    on      "probabilities": of softmax(scores), in [0, 1]; "scores": of the scores as they are,
            which has no bounds and no meaning where the largest score is not positive
    Returns (n,).
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise InputError(
            f"scores have shape {tuple(scores.shape)}",
            "(n, classes) with at least two classes",
            "give the classifier's output for a batch",
        )
    if on not in ("probabilities", "scores"):
        raise InputError(f"on={on!r}", '"probabilities" or "scores"', 'write on="probabilities"')
    if on == "probabilities":
        scores = scores.softmax(1)
    first, second = scores.topk(2, dim=1).values.unbind(1)
    return (first - second) / first
