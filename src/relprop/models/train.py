"""Training of the models by name: takes the training images, writes a weights file and its card.

The test digits are read once, after the last epoch: no epoch, seed or setting is chosen by them.
All that is random comes from one seed; the same seed on the same machine with the same number of
threads gives the same file, and on any other one that reads as many digits, give or take a few.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from ..data import Digits
from ..data.families import TITLES, Family
from ..errors import InputError, MissingExtraError
from ..support.arguments import suggest
from ..support.extras import needs
from ..support.files import make_folder
from ..support.progress import QUIET, Advance, Progress
from .architecture import ARCHITECTURES, build
from .checkpoint import ModelCard, save_model, shipped_models

if TYPE_CHECKING:
    from lightning import LightningModule

LICENCES: Mapping[Family, str] = MappingProxyType(
    {
        "mnist": "MIT, as relprop; the digits it was trained on are MNIST, CC BY-SA 3.0",
        "fashion-mnist": "MIT, as relprop; the pictures it was trained on are Fashion-MNIST, MIT",
    }
)


@dataclass(frozen=True)
class Training:
    """How a model is trained: AdamW, one cycle of the learning rate, randomly moved images.

    family              the data set whose training split it is trained on
    turn, zoom, shift   the largest move of a digit, either way: in degrees, as a share, in pixels
    """

    epochs: int
    family: Family = "mnist"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    batch_size: int = 128
    turn: float = 10.0
    zoom: float = 0.1
    shift: float = 2.0

    def __str__(self) -> str:
        return (
            f"AdamW, epochs: {self.epochs}, batches of {self.batch_size}, one learning-rate cycle "
            f"up to {self.learning_rate:g}, weight decay {self.weight_decay:g}; images moved at "
            f"random, by up to {self.turn:g} degrees, {self.zoom:.0%} of size, {self.shift:g} "
            "pixels; the last epoch is kept"
        )


TRAININGS = {
    "mnist-dnn-500": Training(epochs=40),
    "mnist-dnn-300-100": Training(epochs=40),
    "mnist-cnn": Training(epochs=14),
    "fashion-dnn-500": Training(epochs=40, family="fashion-mnist"),
    "fashion-dnn-300-100": Training(epochs=40, family="fashion-mnist"),
    "fashion-cnn": Training(epochs=6, family="fashion-mnist"),
}


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
    """Train the model `name` on `digits`, measure it on `test`, write it to the folder `out`.

    epochs  instead of those of TRAININGS
    Returns the card, written to out/NAME.json beside out/NAME.safetensors; no other file is left.
    Raises InputError for an unknown name, FileError for a folder that cannot be made,
    MissingExtraError without Lightning.
    """
    training = training_of(name, epochs)
    _check_seed(seed)
    _require_lightning()
    make_folder(Path(out))  # now, not after all the work
    with _seeded(seed):
        model = build(ARCHITECTURES[name])
        _fit(model, digits, training, seed, progress)
    path = Path(out) / f"{name}.safetensors"
    card = ModelCard(
        name=name,
        input_shape=tuple(digits.images.shape[1:]),
        family=training.family,
        data=f"{TITLES[training.family]}: trained on {_amount(digits)}, "
        f"accuracy on {_amount(test)}",
        training=str(training),
        epochs=training.epochs,
        seed=seed,
        command=f"relprop train {name} --seed {seed}" + (f" --epochs {epochs}" if epochs else ""),
        accuracy=accuracy(model, test),
        accuracy_command=f"relprop accuracy {name if name in shipped_models() else path.name}",
        licence=LICENCES[training.family],
    )
    return save_model(model, path, card)


def accuracy(model: nn.Module, digits: Digits, batch_size: int = 500) -> float:
    """Share of `digits` that the model reads correctly, in [0, 1]. The model is in eval mode."""
    if model.training:
        raise InputError("the model is in training mode", "eval mode", "call model.eval() first")
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(digits.labels), batch_size):
            batch = slice(start, start + batch_size)
            right = model(digits.images[batch]).argmax(1) == digits.labels[batch]
            correct += int(right.sum())
    return correct / len(digits.labels)


def move(images: Tensor, draw: Tensor, training: Training) -> Tensor:
    """Each image turned, zoomed and shifted; zeros move in.

    images  (n, 1, h, w)
    draw    (4, n) in [-1, 1]: how much of the largest turn, zoom, shift to the left, shift up
    """
    angle, scale = draw[0] * math.radians(training.turn), 1 + draw[1] * training.zoom
    left, up = draw[2:] * training.shift * 2 / images.shape[-1]  # the grid's unit is half an image
    cos, sin = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack([cos, -sin, left, sin, cos, up], 1).reshape(-1, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)  # (n, h, w, 2)
    return F.grid_sample(images, grid, align_corners=False)


def _amount(digits: Digits) -> str:
    return f"{len(digits.labels):,} images of the {digits.split} split"


def training_of(name: str, epochs: int | None = None) -> Training:
    """How the model of this name is trained. Raises InputError for an unknown name."""
    if name not in TRAININGS:
        given = f"there is no training for a model named {name!r}"
        raise InputError(given, ", ".join(TRAININGS), suggest(name, TRAININGS))
    if epochs is not None and epochs < 1:
        raise InputError(f"epochs is {epochs}", "a whole number from 1 up", "train for 1 or more")
    return replace(TRAININGS[name], epochs=epochs or TRAININGS[name].epochs)


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}", "a whole number from 0 to 2**63 - 1", "write seed=0")


def _fit(
    model: nn.Module, digits: Digits, training: Training, seed: int, progress: Progress
) -> None:
    """Train `model` in place; it is in eval mode afterwards."""
    import lightning

    loader = _batches(digits, training.batch_size, seed)
    steps = len(loader) * training.epochs
    with _quiet(), progress.stage("training", steps, "batches") as advance:
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


def _require_lightning() -> None:
    with needs("train", "training"):
        try:
            import lightning  # noqa: F401
        except RuntimeError as error:  # it imports torchvision where there is one
            raise MissingExtraError(
                f"training: Lightning cannot be imported ({error})",
                f"a torchvision that was built for torch {torch.__version__}, or none",
                "pip uninstall torchvision, or install the one that fits",
            ) from error


def _batches(digits: Digits, size: int, seed: int) -> DataLoader[tuple[Tensor, ...]]:
    """Shuffled batches, each cut out of the tensors at once, not collected digit by digit."""
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
            draw = torch.rand(4, len(images)) * 2 - 1
            return F.cross_entropy(self.model(move(images, draw, training)), labels)

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


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, and leave the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's remarks on hardware, worker processes and its other products."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(level)
