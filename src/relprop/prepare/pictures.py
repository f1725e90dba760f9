"""Pictures to tensors: of one size, channels first, standardised by the training pictures.

Takes uint8 pictures. Gives float32 tensors. Must not know files or networks.

    n  pictures      c  channels      h, w  height and width
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset, DataTarget, Resize
from ..errors import InputError
from ..networks.family import Settings
from .mirroring import keep_class_when_mirrored

MOST_SIDE = 224  # pixels: larger pictures are made smaller


@dataclass(frozen=True)
class PicturePreparation:
    """How pictures become tensors.

    Attributes:
        size: Height and width that networks take.
        mean: Of each channel, of values from 0 to 1.
        std: Standard deviation of each channel.
        mirrors: Whether the training pictures keep their class when they are mirrored.
        read_size: Height and width of the pictures of the data set, which are made smaller.
        resize: How pictures of another shape are brought to that shape; see `DataOptions`.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mirrors: bool
    read_size: tuple[int, int]
    resize: Resize

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        return (len(self.mean), *self.size)

    @property
    def vocabulary(self) -> int:
        """Pictures are no token ids: 0."""
        return 0

    def apply(self, samples: NDArray[np.uint8]) -> Tensor:
        """Prepare pictures, (n, c, h, w).

        Args:
            samples: Pictures, (n, height, width, c) of uint8; those of another size are resized.

        Raises:
            InputError: They have another number of channels, or are no such array.
        """
        self._check(samples)
        pictures = torch.from_numpy(np.ascontiguousarray(samples.transpose(0, 3, 1, 2))).float()
        if pictures.shape[2:] != self.size:
            pictures = _in_shape(pictures, self.read_size, self.resize)
            pictures = F.interpolate(pictures, self.size, mode="bilinear", antialias=True)
        mean, std = (torch.tensor(value)[:, None, None] * 255 for value in (self.mean, self.std))
        return pictures.sub_(mean).div_(std)

    def _check(self, samples: NDArray[np.uint8]) -> None:
        allowed = f"pictures as uint8 of shape (n, height, width, {len(self.mean)})"
        if samples.dtype != np.uint8 or samples.ndim != 4 or samples.shape[3] != len(self.mean):
            given = f"pictures as {samples.dtype} of shape {samples.shape}"
            raise InputError(given, allowed, "convert them")

    def describe(self) -> str:
        """Say in words what is done to pictures."""
        height, width = self.size
        channels = f"{len(self.mean)} channel{'' if len(self.mean) == 1 else 's'}"
        means, deviations = (
            ", ".join(f"{value:.3f}" for value in values) for values in (self.mean, self.std)
        )
        return (
            f"pictures of {height} x {width} pixels and {channels}, values from 0 to 1, "
            f"minus {means}, divided by {deviations}"
        )

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return plain values; there are no tensors."""
        values = {
            "size": list(self.size),
            "mean": list(self.mean),
            "std": list(self.std),
            "mirrors": self.mirrors,
            "read_size": list(self.read_size),
            "resize": self.resize,
        }
        return values, {}

    @classmethod
    def restore(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> "PicturePreparation":
        """Make the preparation again that gave `state()`."""
        size, read_size = ((height, width) for height, width in (state["size"], state["read_size"]))
        mean, std = tuple(state["mean"]), tuple(state["std"])
        return cls(size, mean, std, state["mirrors"], read_size, state["resize"])


def fit_pictures(
    dataset: Dataset, rows: NDArray[np.int64], settings: Settings
) -> PicturePreparation:
    """Fit how pictures are prepared.

    Args:
        dataset: The data set.
        rows: Numbers of the training pictures.
        settings: `side`: length of the longer side, to which pictures are made smaller; 0 or
            missing: as they are, up to 224.
    """
    samples: NDArray[np.uint8] = dataset.take(rows)
    mean, std = _mean_and_std(samples)
    size = _reduced_size(samples.shape[1:3], int(settings.get("side", 0)) or MOST_SIDE)
    target = dataset.target
    chosen = DataTarget(target.task, target.names, target.values[rows])
    height, width = samples.shape[1:3]
    mirrors = keep_class_when_mirrored(samples, chosen)
    return PicturePreparation(size, mean, std, mirrors, (height, width), dataset.resize)


def _in_shape(pictures: Tensor, size: tuple[int, int], resize: Resize) -> Tensor:
    """Cut or fill pictures, (n, c, h, w), to the ratio of height and width of a size."""
    height, width = pictures.shape[2:]
    fitting = round(width * size[0] / size[1]), round(height * size[1] / size[0])
    if resize == "crop":
        h, w = max(1, min(height, fitting[0])), max(1, min(width, fitting[1]))
        top, left = (height - h) // 2, (width - w) // 2
        return pictures[:, :, top : top + h, left : left + w]
    if resize == "pad":
        down, across = max(0, fitting[0] - height), max(0, fitting[1] - width)
        return F.pad(pictures, (across // 2, -(-across // 2), down // 2, -(-down // 2)))
    return pictures


def _reduced_size(size: tuple[int, ...], most: int) -> tuple[int, int]:
    height, width = size
    factor = min(1.0, most / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def _mean_and_std(samples: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel, of values from 0 to 1."""
    channels = torch.from_numpy(samples).unbind(3)  # of numpy's count each pixel has eight bytes
    counts = np.stack([c.reshape(-1).bincount(minlength=256).numpy() for c in channels])
    shares = counts / counts.sum(1, keepdims=True)  # (c, 256)
    values = np.arange(256) / 255
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))
    std[std == 0] = 1.0  # a channel of one value stays finite
    return tuple(mean.tolist()), tuple(std.tolist())
