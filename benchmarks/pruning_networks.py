"""The three networks of pruning.py: one shipped, two trained here once, and their data.

Takes the folder of the data sets and one where weights are kept. Gives a network, and pictures with
classes in two parts: what criteria may see, and what is reported on.
"""

import io
import math
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

import relprop
from relprop.data import load_digits
from relprop.models.architecture import ARCHITECTURES, build

SEED = 0  # of the trainings


@dataclass(frozen=True)
class Pictures:
    """Pictures (n, c, h, w) with their classes (n,)."""

    x: Tensor
    y: Tensor

    def first(self, count: int) -> "Pictures":
        return Pictures(self.x[:count], self.y[:count])


@dataclass(frozen=True)
class Task:
    """A trained network in eval mode, its training part and its test part."""

    name: str
    model: nn.Module
    train: Pictures
    test: Pictures


class Block(nn.Module):
    """Two convolutions with BatchNorm and the way around them (He et al. 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.around = nn.Sequential()
        if stride > 1 or inputs != outputs:
            project = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.around = nn.Sequential(project, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(inner + self.around(x))


class SmallResNet(nn.Module):
    """One stem and three stages of one block each, 16 to 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(relu(self.bn(self.stem(x))))
        return self.head(x.mean((2, 3)))


def mnist(data: Path, work: Path) -> Task:
    """The shipped CNN and the digits that it was trained on."""
    return Task("mnist-cnn", relprop.load_model("mnist-cnn"), *_digits(data, "mnist"))


def fashion(data: Path, work: Path) -> Task:
    """The CNN of the same layers, trained here for three epochs."""
    train, test = _digits(data, "fashion-mnist")
    model = _kept(
        work / "fashion-cnn.safetensors",
        lambda: build(ARCHITECTURES["fashion-cnn"]),
        lambda model: fit(model, train, epochs=3, rate=0.002),
    )
    return Task("fashion-cnn", model, train, test)


def cifar(data: Path, work: Path) -> Task:
    """The residual network, trained here for 25 epochs."""
    train, test = (_cifar_part(data, part) for part in ("train", "test"))
    model = _kept(
        work / "cifar-resnet.safetensors",
        SmallResNet,
        lambda model: fit(model, train, epochs=25, rate=0.01, shift=2),
    )
    return Task("cifar-resnet", model, _mixed(train), _mixed(test))


TASKS: dict[str, Callable[[Path, Path], Task]] = {
    "mnist-cnn": mnist,
    "fashion-cnn": fashion,
    "cifar-resnet": cifar,
}


def fit(
    model: nn.Module, data: Pictures, *, epochs: int, rate: float, shift: int = 0, seed: int = SEED
) -> None:
    """Train in place: AdamW, one cycle of the learning rate, batches of 128.

    Args:
        model: The network; it ends in eval mode.
        data: What it learns.
        epochs: Passes over the data.
        rate: The highest learning rate.
        shift: Most pixels that a picture is moved by; from 1, it is mirrored too.
        seed: Of order and changes of pictures.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = math.ceil(len(data.y) / 128) * epochs
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(data.y), generator=generator).split(128):
            x = data.x[rows] if not shift else _moved(data.x[rows], shift, generator)
            optimiser.zero_grad()
            cross_entropy(model(x), data.y[rows]).backward()
            optimiser.step()
            schedule.step()
    model.eval()


def _moved(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Move a batch by some pixels, and mirror half of its pictures."""
    down, right = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    padded = torch.nn.functional.pad(x, (most, most, most, most))
    height, width = x.shape[2:]
    return padded[:, :, most + down :, most + right :][:, :, :height, :width]


def accuracy(model: nn.Module, data: Pictures) -> float:
    """Return the share of pictures that are classified correctly."""
    return float(is_right(model, data).double().mean())


def is_right(model: nn.Module, data: Pictures) -> Tensor:
    """Mark the pictures that are classified correctly, (n,)."""
    with torch.no_grad():
        parts = [model(part).argmax(1) for part in data.x.split(500)]
    return torch.cat(parts) == data.y


def _kept(
    path: Path, make: Callable[[], nn.Module], train: Callable[[nn.Module], None]
) -> nn.Module:
    """Read a network's weights, or train it and write them."""
    torch.manual_seed(SEED)
    model = make()
    if path.exists():
        model.load_state_dict(safetensors.torch.load_file(path))
    else:
        train(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(model.state_dict(), path)
    return model.eval()


def _mixed(data: Pictures) -> Pictures:
    """Mix pictures that are read class by class."""
    rows = torch.randperm(len(data.y), generator=torch.Generator().manual_seed(SEED))
    return Pictures(data.x[rows], data.y[rows])


def _digits(data: Path, family: str) -> tuple[Pictures, Pictures]:
    parts = (load_digits(part, data, family) for part in ("train", "test"))
    train, test = (Pictures(one.images, one.labels) for one in parts)
    return train, test


def _cifar_part(data: Path, part: str) -> Pictures:
    """Read pictures of the CIFAR-10 sample, normalised by channel."""
    pictures: list[Tensor] = []
    names: list[str] = []
    with tarfile.open(data / "cifar10-8k.tar.xz") as archive:
        for member in archive:
            if member.isfile() and f"/{part}/" in f"/{member.name}":
                content = archive.extractfile(member)
                assert content is not None
                pixels = np.array(Image.open(io.BytesIO(content.read())).convert("RGB"))
                pictures.append(torch.from_numpy(pixels))
                names.append(Path(member.name).parent.name)
    return Pictures(_normalised(pictures), _numbered(names))


def _normalised(pictures: Sequence[Tensor]) -> Tensor:
    x = torch.stack(list(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.49, 0.48, 0.45]), torch.tensor([0.25, 0.24, 0.26])
    return (x - mean[:, None, None]) / std[:, None, None]


def _numbered(names: Sequence[str]) -> Tensor:
    classes = sorted(set(names))
    return torch.tensor([classes.index(name) for name in names])
