"""The loss of a training batch, with all that is done to it before: augmentation, mixup, smoothing.

Takes tensors of all training samples and the numbers of those in the batch. Must not know
optimisers or time.

    n  samples in the batch      k  outputs
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..data.dataset import TaskKind
from .augmentation import Augment
from .objectives import loss, soft_targets
from .precision import NumberFormat
from .settings import TrainingSettings


@dataclass(frozen=True)
class BatchLoss:
    """Computes the loss of training batches; draws from torch's global random numbers.

    Attributes:
        inputs: All training samples.
        targets: Their targets; see `soft_targets`.
        teacher: What a teacher says of them, or None.
        task: What is predicted.
        settings: Smoothing and mixup.
        augment: A random change of a batch, or None.
        format: How the network computes.
    """

    inputs: Tensor
    targets: Tensor
    teacher: Tensor | None
    task: TaskKind
    settings: TrainingSettings
    augment: Augment | None
    format: NumberFormat

    def __call__(self, network: nn.Module, rows: Tensor) -> Tensor:
        """Return the mean loss of some samples, ().

        Args:
            network: Maps inputs to scores, (n, k), or in training (n, members, k).
            rows: Numbers of the samples, (n,).
        """
        inputs = self.inputs[rows]
        if self.augment is not None:
            inputs = self.augment(inputs)
        if not self.settings.mixup:
            scores = self.format.scores(network, inputs)
            return loss(scores, self._soft_targets(rows, scores.shape[-1]), self.task)
        order, share = self._partners(len(rows))
        scores = self.format.scores(network, torch.lerp(inputs, inputs[order], share))
        soft = self._soft_targets(rows, scores.shape[-1])
        return loss(scores, torch.lerp(soft, soft[order], share), self.task)

    def _soft_targets(self, rows: Tensor, outputs: int) -> Tensor:
        teacher = None if self.teacher is None else self.teacher[rows]
        smoothing = self.settings.smoothing
        targets = self.targets[rows]
        return soft_targets(targets, teacher, task=self.task, outputs=outputs, smoothing=smoothing)

    def _partners(self, n: int) -> tuple[Tensor, float]:
        """Draw what each sample is mixed with, (n,), and the share of the other one."""
        beta = torch.distributions.Beta(self.settings.mixup, self.settings.mixup)
        return torch.randperm(n, device=self.inputs.device), float(beta.sample())
