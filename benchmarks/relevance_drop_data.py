"""Data of relevance_drop.py: pictures, corrupted copies of them, and pictures with planted marks.

All tensors are standardised: 0 is the mean grey value of the training pictures.

n  pictures      c  channels      h, w  height and width
"""

import io
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from relprop.data import load_digits

SIDE = 4  # of a mark, in pixels


@dataclass(frozen=True)
class Pictures:
    """Training and test pictures.

    Attributes:
        train: (n, c, h, w), in [0, 1] unless `standardised` returned them.
        classes: Their classes, (n,).
        test: Test pictures.
        test_classes: Their classes.
        mean: What `standardised` subtracted.
        deviation: What it divided by.
    """

    train: Tensor
    classes: Tensor
    test: Tensor
    test_classes: Tensor
    mean: float = 0.0
    deviation: float = 1.0

    def standardised(self) -> "Pictures":
        """Scale all pictures by mean and deviation of the training pictures."""
        mean, deviation = self.train.mean().item(), self.train.std().item()
        train, test = ((x - mean) / deviation for x in (self.train, self.test))
        return replace(self, train=train, test=test, mean=mean, deviation=deviation)


def fashion(data: Path, train: int, test: int) -> Pictures:
    """Read the first pictures of both parts of Fashion-MNIST."""
    parts = [load_digits(part, data, "fashion-mnist", download=False) for part in ("train", "test")]
    first, second = parts
    return Pictures(
        first.images[:train], first.labels[:train], second.images[:test], second.labels[:test]
    )


def cifar(data: Path, train: int, test: int) -> Pictures:
    """Read an equal number of pictures of each class from the CIFAR-10 sample."""
    found: dict[str, dict[str, list[Tensor]]] = {"train": {}, "test": {}}
    most = {"train": train // 10, "test": test // 10}
    with tarfile.open(data / "cifar10-8k.tar.xz") as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            parts = Path(member.name).parts
            if not member.name.endswith(".jpg") or parts[-3] not in found:
                continue
            pictures = found[parts[-3]].setdefault(parts[-2], [])
            if len(pictures) < most[parts[-3]]:
                stream = archive.extractfile(member)
                pixels = np.array(Image.open(io.BytesIO(stream.read())).convert("RGB"))
                pictures.append(torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    (x, y), (xt, yt) = (_stacked(found[part]) for part in ("train", "test"))
    return Pictures(x, y, xt, yt)


def _stacked(by_class: dict[str, list[Tensor]]) -> tuple[Tensor, Tensor]:
    names = sorted(by_class)
    classes = [torch.full((len(by_class[name]),), k) for k, name in enumerate(names)]
    return torch.cat([torch.stack(by_class[name]) for name in names]), torch.cat(classes)


def corrupted(pictures: Pictures) -> dict[str, Tensor]:
    """Return the test pictures as they are, and corrupted copies; the same for every network."""
    x, mean, deviation = pictures.test, pictures.mean, pictures.deviation
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(x.shape, generator=generator) * 0.2 / deviation
    middle = x.mean((1, 2, 3), keepdim=True)
    black = -mean / deviation
    padded = F.pad(x, [1] * 4, mode="reflect")
    grid = torch.rand(len(x), 1, x.shape[2] // 4, x.shape[3] // 4, generator=generator)
    hidden = (grid < 0.25).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return {
        "clean": x,
        "noise": (x + noise).clamp(black, (1 - mean) / deviation),
        "blur": F.avg_pool2d(padded, 3, 1),
        "contrast": middle + 0.4 * (x - middle),
        "occlusion": x.masked_fill(hidden, 0),
    }


def marked(pictures: Pictures, x: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
    """Plant a square in a random corner of each picture, whose grey value is 1 - class / 10."""
    grey = (1 - classes.to(x.dtype) / 10 - pictures.mean) / pictures.deviation
    corner = F.one_hot(torch.randint(4, (len(x),), generator=generator), 4).bool()  # (n, 4)
    chosen = (corner[:, :, None, None] & corners(x)).any(1, keepdim=True)  # (n, 1, h, w)
    return torch.where(chosen, grey[:, None, None, None], x)


def corners(x: Tensor) -> Tensor:
    """Return the masks of the four corners of pictures, (4, h, w)."""
    height, width = x.shape[2:]
    rows = torch.stack([torch.arange(height) < SIDE, torch.arange(height) >= height - SIDE])
    columns = torch.stack([torch.arange(width) < SIDE, torch.arange(width) >= width - SIDE])
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)
