"""The columns of a table, as features of which some are kept.

Takes a table. Gives the names of its columns, and the table without some. Must not know how
features are ranked.

e  entries of a prepared row      d  columns
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
from .features import few_steps
from .gates import fold_gates, gated_family


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
        return {**few_steps(default, samples), "teacher": "none", "bins": 0}

    def finished(self, network: nn.Module) -> nn.Module:
        """Multiply gates into the weights behind them."""
        return fold_gates(network)

    def entries(self, preparation: Preparation, x: Tensor) -> Tensor:
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
