"""The pixels of pictures, as features of which some are kept: of large pictures, blocks of them.

Takes pictures. Gives the names of pixels, and the pictures with the others at their mean. Must not
know how features are ranked.

n  pictures      h, w  height and width      c  channels      e  entries of a prepared picture
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...networks.family import NetworkFamily, Settings
from ...networks.registry import find_family
from ...prepare.base import Preparation
from ...search.prepared import PreparedData, Rows
from .features import with_steps
from .gates import fold_gates, gated_family

_MOST_SIDE = 32  # features from left to right, and from top to bottom
_CHANGES = ("shift", "rotate", "zoom", "cutout", "colour")  # of the pictures that are trained on


@dataclass(frozen=True)
class PictureFeatures:
    """The pixels of pictures; of pictures of more than 32 pixels, blocks of them.

    Attributes:
        dataset: The pictures.
    """

    dataset: Dataset

    @property
    def noun(self) -> str:
        """What one is."""
        return "pixel"

    @property
    def grid(self) -> tuple[int, int]:
        """How many features there are from top to bottom, and from left to right."""
        height, width = self.dataset.samples.shape[1:3]
        return min(height, _MOST_SIDE), min(width, _MOST_SIDE)

    @property
    def names(self) -> tuple[str, ...]:
        """Row and column of each."""
        rows, columns = self.grid
        return tuple(f"row {i} column {j}" for i in range(rows) for j in range(columns))

    def ranking_family(self) -> NetworkFamily:
        """Return multilayer perceptrons, each pixel by itself, with a gate before it."""
        return gated_family(self.testing_family())

    def testing_family(self) -> NetworkFamily:
        """Return multilayer perceptrons."""
        return find_family("picture", "mlp")

    def settings(self, data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
        """Return the defaults with 600 steps, and without changes that move pixels."""
        default = with_steps(family.default(data.rough_facts(samples)), samples)
        return {**default, "flip": False, "mirror": False, **dict.fromkeys(_CHANGES, 0)}

    def finished(self, network: nn.Module) -> nn.Module:
        """Multiply gates into the weights behind them."""
        return fold_gates(network)

    def entries(self, preparation: Preparation, x: Tensor) -> Tensor:
        """Return the pixel of each entry of a prepared picture (c, h, w), (e,)."""
        channels, height, width = preparation.shape
        return torch.from_numpy(self._places(height, width).ravel()).repeat(channels)

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the pictures with the other pixels at their mean over the training pictures."""
        pictures = self.dataset.samples
        places = self._places(*pictures.shape[1:3])  # (h, w)
        mean = pictures[train].mean(0).round().astype(np.uint8)  # (h, w, c)
        kept = np.where(mask[places][..., None], pictures, mean)
        return replace(self.dataset, samples=kept)

    def _places(self, height: int, width: int) -> NDArray[np.int64]:
        """Return the feature of each pixel of pictures of some size, (h, w)."""
        rows, columns = self.grid
        down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
        places: NDArray[np.int64] = down[:, None] * columns + across
        return places
