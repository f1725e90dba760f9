"""Trains the models that have a name: takes training images, writes a weights file and its card.

The test images are used once, after the last epoch: no epoch, seed or setting is chosen by them.
All randomness comes from one seed. The same seed on the same machine with the same number of
threads gives the same file; on other machines the accuracy differs by a few images at most.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from ..data import Digits
from ..data.families import TITLES
from ..errors import InputError
from ..support.arguments import check_seed
from ..support.files import make_folder, try_folder
from ..support.lightning_runs import quiet_lightning, random_seed, require_lightning
from ..support.progress import QUIET, Advance, Progress
from .architecture import ARCHITECTURES, build
from .card import ModelCard
from .checkpoint import save_model, shipped_models
from .training import LICENCES, Training, training_of

if TYPE_CHECKING:
    from lightning import LightningModule


def train(
    name: str,
    digits: Digits,
    *,
    test: Digits,
    out: str | Path,
    seed: int = 0,
    epochs: int | None = None,
    progress: Progress = QUIET,
) -> ModelCard:
    """Train a model, measure its accuracy, and save it as NAME.safetensors and NAME.json.

    Args:
        name: A name in `relprop.models.training.TRAININGS`.
        digits: Training images.
        test: Images that the accuracy on the card is measured on.
        out: Folder of the two files; it is created where it is missing.
        seed: Random seed of weights, order of batches and random moves.
        epochs: Number of epochs in place of the usual one.
        progress: Shows the batches.

    Returns:
        The card as written.

    Raises:
        InputError: Unknown name, or a seed or number of epochs out of range.
        FileError: The folder cannot be created or written.
        MissingExtraError: Lightning is not installed or cannot be imported.
    """
    training = check_training(name, out=out, seed=seed, epochs=epochs)
    make_folder(Path(out))
    with random_seed(seed):
        model = build(ARCHITECTURES[name])
        _fit(model, digits, training, seed, progress)
    path = Path(out) / f"{name}.safetensors"
    card = ModelCard(
        name=name,
        input_shape=tuple(digits.images.shape[1:]),
        family=training.family,
        data=f"{TITLES[training.family]}: trained on {_describe_split(digits)}, "
        f"accuracy on {_describe_split(test)}",
        training=str(training),
        epochs=training.epochs,
        seed=seed,
        command=f"relprop train {name} --seed {seed}" + (f" --epochs {epochs}" if epochs else ""),
        accuracy=accuracy(model, test),
        accuracy_command=f"relprop accuracy {name if name in shipped_models() else path.name}",
        licence=LICENCES[training.family],
    )
    return save_model(model, path, card)


def check_training(
    name: str, *, out: str | Path, seed: int = 0, epochs: int | None = None
) -> Training:
    """Check the arguments of `train`, before images are downloaded; return the settings.

    Raises what `train` raises for its arguments, its folder and Lightning.
    """
    training = training_of(name, epochs)
    check_seed(seed)
    require_lightning("train", "training")
    try_folder(Path(out))
    return training


def accuracy(model: nn.Module, digits: Digits, batch_size: int = 500) -> float:
    """Measure the fraction of `digits` that the model classifies correctly, in [0, 1].

    Raises:
        InputError: The model is in training mode.
    """
    if model.training:
        raise InputError("the model is in training mode", "eval mode", "call model.eval() first")
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(digits.labels), batch_size):
            batch = slice(start, start + batch_size)
            right = model(digits.images[batch]).argmax(1) == digits.labels[batch]
            correct += int(right.sum())
    return correct / len(digits.labels)


def transform(images: Tensor, amounts: Tensor, training: Training) -> Tensor:
    """Rotate, scale and shift each image; pixels from outside are zero.

    Args:
        images: Images, (n, 1, h, w).
        amounts: Fractions of the largest rotation, scaling, shift to the left and shift up, (4, n)
            in [-1, 1].
        training: Holds the largest rotation, scaling and shift.
    """
    angle, scale = amounts[0] * math.radians(training.rotation), 1 + amounts[1] * training.scale
    # affine_grid measures in half images
    left, up = amounts[2:] * training.shift * 2 / images.shape[-1]
    cos, sin = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack([cos, -sin, left, sin, cos, up], 1).reshape(-1, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)  # (n, h, w, 2)
    return F.grid_sample(images, grid, align_corners=False)


def _describe_split(digits: Digits) -> str:
    return f"{len(digits.labels):,} images of the {digits.split} split"


def _fit(
    model: nn.Module, digits: Digits, training: Training, seed: int, progress: Progress
) -> None:
    """Train `model` in place, and leave it in eval mode."""
    import lightning

    loader = _batches(digits, training.batch_size, seed)
    steps = len(loader) * training.epochs
    with quiet_lightning(), progress.stage("Training", steps, "batches") as advance:
        trainer = lightning.Trainer(
            max_epochs=training.epochs,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(_lightning_module(model, training, steps, advance), loader)
    model.eval()


def _batches(digits: Digits, size: int, seed: int) -> DataLoader[tuple[Tensor, ...]]:
    """Make a loader of shuffled batches that indexes the tensors once per batch, not per image."""
    dataset = TensorDataset(digits.images, digits.labels)
    order = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
    return DataLoader(dataset, sampler=BatchSampler(order, size, drop_last=False), batch_size=None)


def _lightning_module(
    model: nn.Module, training: Training, steps: int, advance: Advance
) -> "LightningModule":
    import lightning

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            images, labels = batch
            amounts = torch.rand(4, len(images)) * 2 - 1
            return F.cross_entropy(self.model(transform(images, amounts, training)), labels)

        def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
            advance(1)

        def configure_optimizers(self) -> Any:
            rate = training.learning_rate
            optimizer = torch.optim.AdamW(
                self.parameters(), lr=rate, weight_decay=training.weight_decay
            )
            cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
            schedule = {"scheduler": cycle, "interval": "step"}
            return {"optimizer": optimizer, "lr_scheduler": schedule}

    return Classifier()
