"""What a network in training gives for validation samples, and how good that is.

Takes prepared samples and the number format of the training. Must not know optimisers or time.

    n  samples      k  outputs
"""

import math

import torch
from torch import Tensor, nn

from ..data.dataset import TaskKind
from .objectives import loss, score, soft_targets
from .precision import NumberFormat

_BATCH = 512


@torch.no_grad()
def outputs_of(network: nn.Module, inputs: Tensor, how: NumberFormat) -> Tensor:
    """Return what a network gives for samples in eval mode, (n, k); it is in training mode after.

    Args:
        network: Maps inputs to scores.
        inputs: Prepared samples, (n, ...).
        how: How the network computes.
    """
    network.eval()
    outputs = torch.cat([how.scores(network, batch) for batch in torch.split(inputs, _BATCH)])
    network.train()
    return outputs


def loss_and_score(outputs: Tensor, targets: Tensor, task: TaskKind) -> tuple[float, float]:
    """Return loss and score of outputs; the loss is NaN where it is not a finite number.

    Args:
        outputs: What a network gave, (n, k).
        targets: As `Examples.targets`.
        task: What is predicted.
    """
    count = outputs.shape[1]
    soft = soft_targets(targets, None, task=task, outputs=count, smoothing=0.0)
    measured = float(loss(outputs, soft, task))
    if not math.isfinite(measured):
        return math.nan, -math.inf
    return measured, score(outputs, targets, task)
