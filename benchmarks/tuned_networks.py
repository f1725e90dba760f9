"""The networks of docs/tuned.md: a shipped one, four that `relprop fit` trains, and a small ViT.

Each is trained at its first use and kept in the work folder. Gives a model with test samples.
"""

import lzma
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import relprop
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset
from relprop.evaluate import tokens
from relprop.evaluate.removal.setup import Filling

BUDGET = "3m"
# One network of the convolutional family, narrow enough that a thousand recipes are minutes.
CNN = 'families = ["cnn"]\n[space.cnn]\nwidth = [16]\ndepth = [2]\nmembers = [1]\n'
TRANSFORMER = 'families = ["transformer"]\n[space.transformer]\nwidth = [64]\ndepth = [2]\n'
VIT_EPOCHS, VIT_BATCH, VIT_SEED = 4, 128, 0


@dataclass(frozen=True)
class Network:
    """A network to tune.

    Attributes:
        name: As the page calls it.
        make: Takes the folder of the data and the work folder, gives what is tuned.
    """

    name: str
    make: Callable[[Path, Path], "Ready"]


@dataclass(frozen=True)
class Ready:
    """A trained network with its test samples.

    Attributes:
        model: The network.
        x: Its test samples, prepared.
        labels: Their true classes.
        fills: What it is tuned for.
        other_fills: What is also reported.
        units: What is removed together; None: pixels.
        classes: Names of the classes.
    """

    model: nn.Module
    x: Tensor
    labels: Tensor
    fills: dict[str, Filling] | str
    other_fills: tuple[str, ...]
    units: Any
    classes: tuple[str, ...]


class SmallViT(nn.Module):
    """A vision transformer for 28 x 28 pixels: patches of 4 x 4, four layers of width 64."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 64, 4, 4)
        self.position = nn.Parameter(0.02 * torch.randn(1, 49, 64))
        layer = nn.TransformerEncoderLayer(
            64, 4, 128, 0.0, nn.functional.gelu, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.layers(h)).mean(1))


def shipped(data: Path, work: Path) -> Ready:
    """Take mnist-cnn with test digits."""
    digits = relprop.data.load_digits("test", data)
    model = relprop.load_model("mnist-cnn").eval()
    names = tuple(map(str, range(10)))
    return Ready(model, digits.images, digits.labels, "mean", ("zero", "blur"), None, names)


def fitted(source: str, space: str, name: str) -> Callable[[Path, Path], Ready]:
    """Return the function that fits a network to a data set, and takes its test part."""

    def make(data: Path, work: Path) -> Ready:
        folder, path = work / name, _source(source, data, work)
        if not (folder / "bundle.json").exists():
            _fit(path, folder, space)
        bundle = relprop.load(folder)
        dataset = read_dataset(str(path), DataOptions())
        rows = dataset.rows("test")
        x = bundle.prepare_samples(dataset.take(rows))
        labels = torch.from_numpy(dataset.target.values[rows])
        if bundle.modality == "text":
            long = (x != 0).sum(1) >= 10
            fills = {"padding": "zero"}
            units = lambda part: tokens(part != 0)(part)  # noqa: E731
            return Ready(bundle.model, x[long], labels[long], fills, (), units, bundle.classes)
        other = ("zero", "blur")
        return Ready(bundle.model, x, labels, "mean", other, None, bundle.classes)

    return make


def _source(source: str, data: Path, work: Path) -> Path:
    if not source.endswith(".tar.xz"):
        return data / source
    folder = work / source.partition(".")[0]
    if not folder.exists():
        with lzma.open(data / source) as file, tarfile.open(fileobj=file) as archive:
            archive.extractall(folder, filter="data")
    (inside,) = [one for one in (folder, *folder.iterdir()) if (one / "train").is_dir()]
    return inside


def _fit(path: Path, folder: Path, space: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    config = folder.with_suffix(".toml")
    config.write_text(f"[space]\n{space}")
    command = [sys.executable, "-m", "relprop", "fit", str(path), "--budget", BUDGET]
    command += ["--config", str(config), "--out", str(folder), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def vit(data: Path, work: Path) -> Ready:
    """Train a small ViT on Fashion-MNIST."""
    train = relprop.data.load_digits("train", data, "fashion-mnist")
    test = relprop.data.load_digits("test", data, "fashion-mnist")
    path = work / "vit.pt"
    torch.manual_seed(VIT_SEED)
    model = SmallViT()
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
    else:
        _train(model, train.images, train.labels)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
    names = tuple(map(str, range(10)))
    return Ready(model.eval(), test.images, test.labels, "mean", ("zero", "blur"), None, names)


def _train(model: nn.Module, x: Tensor, y: Tensor) -> None:
    steps = VIT_EPOCHS * -(-len(x) // VIT_BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(VIT_EPOCHS):
        for rows in torch.randperm(len(x)).split(VIT_BATCH):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def accuracy(ready: Ready) -> float:
    """Measure the accuracy of a network on its test samples."""
    with torch.no_grad():
        found = torch.cat([ready.model(part).argmax(1) for part in ready.x.split(256)])
    return float(np.mean((found == ready.labels).numpy()))


NETWORKS = (
    Network("mnist-cnn, shipped", shipped),
    Network("MNIST, cnn of fit", fitted("mnist", CNN, "mnist")),
    Network("Fashion-MNIST, cnn of fit", fitted("fashion-mnist", CNN, "fashion")),
    Network("CIFAR-10 sample, cnn of fit", fitted("cifar10-8k.tar.xz", CNN, "cifar")),
    Network("Fashion-MNIST, ViT", vit),
    Network("rt-polarity, transformer of fit", fitted("text", TRANSFORMER, "text")),
)
