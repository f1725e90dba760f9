"""What the samples of a data set are made of, of which some can be kept: the columns of a table.

Takes a data set. Says which entries of a prepared sample are of which feature, and gives the data
set without the others. Must not know how features are ranked.

n  samples      d  features      e  entries of a prepared sample
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...networks.family import NetworkFamily, Settings
from ...networks.registry import find_family
from ...prepare.base import Preparation
from ...search.prepared import PreparedData, Rows
from .gates import fold_gates, gated_family

_STEPS = 600  # of a training on few samples, at least
_LONGEST = 200  # epochs


class Features(Protocol):
    """The features of a data set, as numbers 0 to d - 1."""

    @property
    def noun(self) -> str:
        """What one is, such as "column"."""

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called, d of them."""

    def ranking_family(self) -> NetworkFamily:
        """Return the family of networks whose relevance ranks features."""

    def testing_family(self) -> NetworkFamily:
        """Return the family of networks that are tested on the features that are kept."""

    def settings(self, data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
        """Return the settings of a network that is trained on some samples: none is searched."""

    def finished(self, network: nn.Module) -> nn.Module:
        """Return a trained network of the ranking family as it is explained."""

    def entries(self, preparation: Preparation) -> Tensor:
        """Return the feature of each entry of a prepared sample, -1 for none, (e,)."""

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the data set with some features alone.

        Args:
            mask: Which are kept, (d,).
            train: Samples that may be learned from, by number.
        """


@dataclass(frozen=True)
class TableFeatures:
    """The columns of a table.

    Attributes:
        dataset: The table.
    """

    dataset: Dataset

    @property
    def noun(self) -> str:
        """What one is."""
        return "column"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.dataset.columns)

    def ranking_family(self) -> NetworkFamily:
        """Return multilayer perceptrons with a gate before each feature."""
        return gated_family(self.testing_family())

    def testing_family(self) -> NetworkFamily:
        """Return multilayer perceptrons."""
        return find_family("table", "mlp")

    def settings(self, data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
        """Return the defaults without a teacher, whose knowledge would be explained, too.

        There are as many steps as small data needs.
        """
        default = family.default(data.rough_facts(samples))
        steps = -(-samples // int(default["batch"]))
        epochs = min(max(int(default["epochs"]), -(-_STEPS // steps)), _LONGEST)
        return {**default, "teacher": "none", "bins": 0, "epochs": epochs}

    def finished(self, network: nn.Module) -> nn.Module:
        """Multiply gates into the weights behind them."""
        return fold_gates(network)

    def entries(self, preparation: Preparation) -> Tensor:
        """Return the column of each entry of a prepared row, (e,)."""
        groups = preparation.columns.groups  # type: ignore[attr-defined]
        column = torch.full(preparation.shape, -1)
        for name, of in groups.items():
            column[list(of)] = self.names.index(name)
        return column

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the table with some columns alone."""
        kept = [name for name, one in zip(self.names, mask, strict=True) if one]
        return replace(
            self.dataset,
            samples=self.dataset.samples[kept],
            columns={name: self.dataset.columns[name] for name in kept},
            day_first=tuple(name for name in self.dataset.day_first if name in kept),
            signs={name: sign for name, sign in self.dataset.signs.items() if name in kept},
        )


def features_of(dataset: Dataset) -> Features:
    """Return the features of a data set."""
    return TableFeatures(dataset)
