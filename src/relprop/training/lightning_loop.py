"""The training loop: Lightning over batches of tensors that are in memory already.

Takes a network, a loss of a batch, an optimiser, and what is asked after each
step. Must not know data sets, tasks or settings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..support.extras import needs

with needs("fit", "training of networks"):
    from lightning.pytorch import LightningModule, Trainer


@dataclass(frozen=True)
class Batches:
    """Random batches of sample numbers: all samples once an epoch, in batches of about one size.

    None of them is much smaller than the others, since BatchNorm cannot take a batch of one.

    Attributes:
        samples: How many samples there are.
        size: The most in a batch.
        generator: Draws their order.
        device: Where the numbers go.
    """

    samples: int
    size: int
    generator: torch.Generator
    device: str

    def __len__(self) -> int:
        return -(-self.samples // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.samples, generator=self.generator).to(self.device)
        return iter(order.tensor_split(len(self)))


class Loop(LightningModule):
    """One network with its optimiser, as Lightning takes them.

    Attributes:
        network: The network that is trained.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: Optimizer,
        *,
        loss: Callable[[Tensor], Tensor],
        after_step: Callable[[float], bool],
    ) -> None:
        super().__init__()
        self.network = network
        self._optimiser, self._loss, self._after_step = optimiser, loss, after_step

    def configure_optimizers(self) -> Optimizer:
        return self._optimiser

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return self._loss(batch)

    def on_train_batch_end(self, outputs: Any, batch: Tensor, index: int) -> None:
        if self._after_step(float(outputs["loss"])):
            self.trainer.should_stop = True


def run_loop(loop: Loop, batches: Batches, *, epochs: int, device: str) -> None:
    """Train until all epochs are done or `after_step` says stop.

    Args:
        loop: The network and what belongs to it.
        batches: What is handed to its loss.
        epochs: Passes over the samples.
        device: "cpu" or "cuda".
    """
    trainer = Trainer(
        max_epochs=epochs,
        accelerator=device,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(loop, batches)
