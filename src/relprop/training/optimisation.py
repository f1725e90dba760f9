"""Optimiser, learning rate and averaged weights of a training.

Takes parameters and settings. Must not know data or losses.
"""

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from .settings import TrainingSettings

_Tensors = tuple[Tensor, ...] | list[Tensor]

WARM_UP = 0.2  # of a training, in which the learning rate rises


def make_optimiser(network: nn.Module, settings: TrainingSettings) -> Optimizer:
    """Make the optimiser; biases, scales and other vectors do not decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimiser == "adamw":
        return AdamW(groups, lr=settings.rate, fused=True)
    return SGD(groups, lr=settings.rate, momentum=0.9, nesterov=True, fused=True)


def rate_factor(progress: float) -> float:
    """Return the share of the largest learning rate at a progress of 0 to 1.

    It rises to 1 in the first fifth and falls to 0 at the end, both linearly.
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    return max(0.0, (1 - progress) / (1 - WARM_UP))


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def make_average(network: nn.Module, decay: float) -> AveragedModel:
    """Make a copy of a network that holds the moving average of its weights and statistics.

    It forgets faster in the first steps, so that a short training is not held back by its start.

    Args:
        network: The network that is trained.
        decay: What share of the average remains in a step.
    """

    @torch.no_grad()
    def blend(averages: _Tensors, current: _Tensors, steps: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(steps)) / (10 + float(steps)))
        for average, now in zip(averages, current, strict=True):
            if average.is_floating_point():
                average.lerp_(now, weight)
            else:  # counters and indices, which torch's own average rounds down
                average.copy_(now)

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
