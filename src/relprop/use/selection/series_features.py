"""The channels of time series, as features of which some are kept.

Takes series. Gives the names of their channels, and the series without some. Must not know how
features are ranked.

e  entries of a prepared series
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


@dataclass(frozen=True)
class SeriesFeatures:
    """The channels of time series.

    Attributes:
        dataset: The series.
    """

    dataset: Dataset

    @property
    def noun(self) -> str:
        """What one is."""
        return "channel"

    @property
    def names(self) -> tuple[str, ...]:
        """Numbers of the channels."""
        return tuple(f"channel {i}" for i in range(len(self.dataset.samples[0])))

    def ranking_family(self) -> NetworkFamily:
        """Return convolutional networks with a gate before each channel."""
        return gated_family(self.testing_family())

    def testing_family(self) -> NetworkFamily:
        """Return convolutional networks."""
        return find_family("series", "fcn")

    def settings(self, data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
        """Return the defaults with 600 steps."""
        return with_steps(family.default(data.rough_facts(samples)), samples)

    def finished(self, network: nn.Module) -> nn.Module:
        """Multiply gates into the weights behind them."""
        return fold_gates(network)

    def entries(self, preparation: Preparation, x: Tensor) -> Tensor:
        """Return the channel of each entry of a prepared series, -1 of a mask of padding, (e,)."""
        channels, steps = preparation.shape
        number = torch.arange(channels)
        number[len(self.names) :] = -1
        return number.repeat_interleave(steps)

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the series with some channels alone."""
        kept = np.empty(len(self.dataset.samples), object)  # lengths may differ
        for i, sample in enumerate(self.dataset.samples):
            kept[i] = sample[mask]
        return replace(self.dataset, samples=kept)
