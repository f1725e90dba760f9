"""Three disjoint parts of the samples: to search on, to select on, to report on.

Takes predictions. Gives numbers of samples. Must not know recipes.

n  samples
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError

LEAST = 12  # samples: three to search on, three to select on, six to report on
RUNGS = 3  # of successive halving: a quarter of the samples, half of them, all


@dataclass(frozen=True)
class Parts:
    """Which samples are for what. No sample is in two parts.

    Attributes:
        search: Numbers of those that recipes are searched on: a quarter.
        selection: Of those that the best recipe is chosen on: a quarter.
        report: Of those that its gain is measured on: half.
    """

    search: Tensor
    selection: Tensor
    report: Tensor

    @property
    def rungs(self) -> tuple[Tensor, ...]:
        """The search samples in pieces: a quarter, another quarter, a half."""
        quarter = max(1, len(self.search) // 4)
        sizes = [quarter, quarter, len(self.search) - 2 * quarter]
        return tuple(torch.split(self.search, sizes))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many samples each part has."""
        return len(self.search), len(self.selection), len(self.report)


def divide_samples(classes: Tensor | None, n: int, *, seed: int) -> Parts:
    """Divide samples by chance, with nearly the same share of each predicted class in each part.

    Args:
        classes: Predicted classes, (n,); None for an output without classes.
        n: Number of samples.
        seed: Random seed.

    Raises:
        InputError: There are too few samples.
    """
    if n < LEAST:
        given = f"{n} samples to tune on"
        raise InputError(given, f"{LEAST} at least, better 1,000", "give more samples")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    if classes is not None:
        order = order[classes.cpu()[order].argsort(stable=True)]
    turn = torch.arange(n) % 4
    found = [order[turn == 0], order[turn == 2], order[(turn == 1) | (turn == 3)]]
    # by chance again: the pieces of a part shall have all classes, too
    generator = torch.Generator().manual_seed(seed + 1)
    mixed = [part[torch.randperm(len(part), generator=generator)] for part in found]
    return Parts(*mixed)
