"""A callback of Lightning that masks the most relevant regions of training batches.

Takes a `RelevanceDrop`. Changes batches before the training step gets them. Needs Lightning.
"""

from typing import Any

from torch import nn

from ...errors import InputError
from ...support.arguments import suggest
from ...support.extras import needs
from .drop import RelevanceDrop

with needs("train", "relprop.use.RelevanceDropCallback"):
    from lightning.pytorch import Callback, LightningModule, Trainer


class RelevanceDropCallback(Callback):
    """Mask training batches [x, y] with a `RelevanceDrop` before each training step.

    Batches are as a DataLoader collates pairs: a list, in which x is replaced. For batches of
    another form call `drop(self, x, y)` in `training_step`.

    Args:
        drop: What masks x; without `layer`.
        network: Name of the attribute of the LightningModule that is called with x; None: itself.
            Its `forward` must not ask for `self.trainer`.

    Raises:
        InputError: An argument is wrong.
        MissingExtraError: Lightning is not installed.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from relprop.use import RelevanceDrop, RelevanceDropCallback
        >>> callback = RelevanceDropCallback(RelevanceDrop(share=0.25, block=4))
        >>> trainer = Trainer(callbacks=[callback])  # doctest: +SKIP
    """

    def __init__(self, drop: RelevanceDrop, network: str | None = None) -> None:
        if not isinstance(drop, RelevanceDrop):
            given = f"drop of type {type(drop).__name__}"
            raise InputError(given, "a RelevanceDrop", "write RelevanceDropCallback(drop)")
        if drop.layer is not None:
            given = f'a RelevanceDrop with layer="{drop.layer}", which masks no batch'
            todo = "write logits = drop.forward(self, x, y) in training_step"
            raise InputError(given, "one without layer", todo)
        self.drop, self.network = drop, network

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that the network exists.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        self._network(pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Replace x of a batch by a copy with masked regions.

        Args:
            trainer: The trainer.
            pl_module: The model.
            batch: [x, y].
            batch_idx: Number of the batch.
        """
        if not isinstance(batch, list) or len(batch) != 2:
            raise InputError(
                f"a training batch of type {type(batch).__name__}",
                "a list [x, y], as a DataLoader collates pairs",
                "write x = drop(self, x, y) in training_step",
            )
        batch[0] = self.drop(self._network(pl_module), *batch)

    def _network(self, module: LightningModule) -> nn.Module:
        if self.network is None:
            return module
        found: dict[str, nn.Module] = dict(module.named_modules())
        if self.network not in found:
            listed = ", ".join(f'"{name}"' for name, _ in module.named_children())
            todo = suggest(self.network, found, otherwise="leave network out")
            raise InputError(f'network "{self.network}"', f"a module: {listed}", todo)
        return found[self.network]
