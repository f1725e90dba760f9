"""Which of several models is better, and which of them to average, by their validation outputs.

    n  validation samples      k  outputs

Takes outputs and targets. Must not know how models were trained.
"""

import math
from collections.abc import Sequence

from torch import Tensor

from ..data.dataset import TaskKind
from ..training.objectives import loss, score, soft_targets


def is_better(new: Tensor, old: Tensor, targets: Tensor, task: TaskKind, errors: float) -> bool:
    """Tell whether outputs are better than others by more than chance would explain.

    Args:
        new: Outputs of one model, (n, k).
        old: Outputs of another one for the same samples.
        targets: Targets of the samples, as `Examples` has them.
        task: What is predicted.
        errors: By how many standard errors of the mean difference.
    """
    gain = goodness(new, targets, task) - goodness(old, targets, task)
    error = float(gain.std()) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
    return float(gain.mean()) > max(errors * error, 0.0)


def beats(one: Tensor, other: Tensor, targets: Tensor, task: TaskKind) -> bool:
    """Tell whether outputs have a higher score and a lower loss than others for the same samples.

    Args:
        one: Outputs of one model, (n, k).
        other: Outputs of another one.
        targets: Targets of the samples, as `Examples` has them.
        task: What is predicted.
    """
    first, second = (rank(outputs, targets, task) for outputs in (one, other))
    return first[0] > second[0] and first[1] > second[1]


def goodness(outputs: Tensor, targets: Tensor, task: TaskKind) -> Tensor:
    """Return what a model gets right of each sample, (n,); more is better.

    Right or wrong for classes, the share of right labels, the negative squared error of a value.
    """
    if task == "classes":
        return (outputs.argmax(1) == targets).float()
    if task == "labels":
        return ((outputs > 0) == (targets > 0.5)).float().mean(1)
    return -(outputs - targets).square().mean(1)


def choose_average(
    outputs: Sequence[Tensor], targets: Tensor, task: TaskKind, most: int
) -> tuple[int, ...]:
    """Choose which models to average: one after the other, while it gets better.

    A model is taken if the average then has a lower loss and no lower score.

    Args:
        outputs: Of each model, (n, k); the first one is always taken.
        targets: Targets, as `Examples` has them.
        task: What is predicted.
        most: The most models.

    Returns:
        Numbers of the models, the first one being 0.
    """
    chosen, total = [0], outputs[0]
    best = rank(total, targets, task)
    for number in range(1, len(outputs)):
        mean = (total + outputs[number]) / (len(chosen) + 1)
        reached = rank(mean, targets, task)
        if len(chosen) < most and reached[0] >= best[0] and reached[1] > best[1]:
            chosen, total, best = [*chosen, number], total + outputs[number], reached
    return tuple(chosen)


def rank(outputs: Tensor, targets: Tensor, task: TaskKind) -> tuple[float, float]:
    """Return score and negative loss of outputs (n, k), by which models are ordered."""
    wanted = soft_targets(targets, None, task=task, outputs=outputs.shape[1], smoothing=0.0)
    return score(outputs, targets, task), -float(loss(outputs, wanted, task))
