"""What is learned and what is maximised: losses and scores by task.

    n  samples      k  outputs
    scores  what a network gives, (n, k): logits, or standardised values

Takes and gives tensors. Must not know networks or training.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.dataset import TaskKind
from ..support.extras import needs

TEACHER_SHARE = 0.7  # of a target that a teacher gives, the rest are true targets


def soft_targets(
    targets: Tensor, teacher: Tensor | None, *, task: TaskKind, outputs: int, smoothing: float
) -> Tensor:
    """Return what scores are compared with, (n, k) in float32: probabilities or values.

    Args:
        targets: Class numbers (n,) or probabilities of classes (n, k), labels (n, k) or values
            (n, 1).
        teacher: What a teacher says, probabilities or values, (n, k); None: there is none.
        task: What is predicted.
        outputs: Number k of outputs.
        smoothing: Share of a target that goes to all classes alike, or halfway between yes and no.
    """
    if not targets.is_floating_point():
        targets = F.one_hot(targets, outputs)
    soft = targets.float()  # (n, k)
    if teacher is not None:
        soft = torch.lerp(soft, teacher, TEACHER_SHARE)
    if task == "value" or smoothing == 0:
        return soft
    even = 1 / outputs if task == "classes" else 0.5
    return soft * (1 - smoothing) + even * smoothing


def loss(scores: Tensor, targets: Tensor, task: TaskKind) -> Tensor:
    """Return cross-entropy, binary cross-entropy or mean squared error, (), by task.

    Args:
        scores: Scores, (n, k); or of several members of a network, (n, members, k), the mean of
            whose losses is returned.
        targets: As `soft_targets` gives them, (n, k).
        task: What is predicted.
    """
    if scores.ndim == 3:
        targets = targets.unsqueeze(1).expand_as(scores).flatten(0, 1)
        scores = scores.flatten(0, 1)
    if task == "classes":
        return F.cross_entropy(scores, targets)
    if task == "labels":
        return F.binary_cross_entropy_with_logits(scores, targets)
    return F.mse_loss(scores, targets)


def score(scores: Tensor, targets: Tensor, task: TaskKind) -> float:
    """Return accuracy, mean average precision or R^2, by task; more is better.

    Labels that no sample has are left out of the mean; 0 where there are no others. Of values that
    do not vary, as a single one, the variance is taken to be 1: that of the training part.

    Args:
        scores: Scores, (n, k).
        targets: Class numbers (n,), labels (n, k) or values (n, 1).
        task: What is predicted.
    """
    if task == "classes":
        return float((scores.argmax(1) == targets).float().mean())
    with needs("fit", "scores of labels and values"):
        from sklearn.metrics import average_precision_score, r2_score
    scores, targets = scores.cpu(), targets.cpu()
    if task == "value":
        if targets.min() == targets.max():
            return 1 - float((scores - targets).square().mean())
        return float(r2_score(targets.numpy(), scores.numpy()))
    seen = targets.any(0)
    if not seen.any():
        return 0.0
    return float(average_precision_score(targets[:, seen].numpy(), scores[:, seen].numpy()))
