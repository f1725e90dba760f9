"""What samples are made of, of which some can be kept: columns, pixels, channels, words.

Says what the features of any modality tell of themselves. Must not know how they are ranked.

n  samples      d  features      e  entries of a prepared sample
p  parts of an entry
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...networks.family import NetworkFamily, Settings
from ...prepare.base import Preparation
from ...search.prepared import PreparedData, Rows

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

    def entries(self, preparation: Preparation, x: Tensor) -> Tensor:
        """Return the feature of each entry of prepared samples, -1 for none.

        Args:
            preparation: How they were prepared.
            x: The samples, (n, *shape).

        Returns:
            (e,) where all samples have the same feature at a place; else (p, n, e) of entries that
            belong to p features in equal parts.
        """

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the data set with some features alone.

        Args:
            mask: Which are kept, (d,).
            train: Samples that may be learned from, by number.
        """


def few_steps(settings: Settings, samples: int) -> Settings:
    """Return settings of a training with as many epochs as small data needs.

    Args:
        settings: The defaults of a family.
        samples: How many are trained on.
    """
    steps = -(-samples // int(settings["batch"]))
    epochs = min(max(int(settings["epochs"]), -(-_STEPS // steps)), _LONGEST)
    return {**settings, "epochs": epochs}


def with_steps(settings: Settings, samples: int) -> Settings:
    """Return settings of a training of 600 steps, whatever the defaults are.

    Args:
        settings: The defaults of a family.
        samples: How many are trained on.
    """
    return few_steps({**settings, "epochs": 1}, samples)
