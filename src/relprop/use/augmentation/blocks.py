"""Blocks of entries: their relevance, which are chosen by it, and the entries of those.

Takes a shape, relevance, and how many are wanted. Gives masks. Must not know models.

n  samples    c  channels    g  blocks of a sample
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Blocks:
    """The places of a sample, cut into blocks of one side length; the last ones may be smaller.

    Attributes:
        places: Sizes of the dimensions after the channels: (height, width) of pictures, (length,)
            of time series. Of samples (n, d) the d features, which have no channels.
        side: How many places a block takes of each dimension.
        channels: Whether a dimension of channels comes before the places: a block takes all.
    """

    places: tuple[int, ...]
    side: int
    channels: bool

    @classmethod
    def of(cls, shape: torch.Size, side: int) -> "Blocks":
        """Cut tensors (n, d) or (n, c, *places) into blocks."""
        channels = len(shape) > 2
        return cls(tuple(shape[2:] if channels else shape[1:]), side, channels)

    @property
    def grid(self) -> tuple[int, ...]:
        """How many blocks there are along each dimension."""
        return tuple(math.ceil(size / self.side) for size in self.places)

    @property
    def count(self) -> int:
        """How many blocks there are, g."""
        return math.prod(self.grid)

    def number_of(self, share: float) -> int:
        """Return how many blocks a share is, to the nearest.

        Raises:
            InputError: It is none of them, or all.
        """
        number, count = round(share * self.count), self.count
        if 0 < number < count:
            return number
        nearest = (1 if number == 0 else count - 1) / count
        raise InputError(
            f"share={share:g} of the {count} blocks of a sample: {number} of them",
            "one block at least, and one that is left",
            f"write share={nearest:.3g}" if count > 1 else self._smaller(),
        )

    def _smaller(self) -> str:
        """Say how there can be more than one block."""
        largest = max(self.places)
        one = "give samples of more than one place: nothing of one can be masked and left"
        return f"write block={largest // 2}" if largest > 1 else one

    def sums(self, values: Tensor) -> Tensor:
        """Sum the entries of each block.

        Args:
            values: (n, d) or (n, c, *places).

        Returns:
            Sums, (n, g).
        """
        values = values.sum(1) if self.channels else values  # (n, *places)
        missing = [g * self.side - size for g, size in zip(self.grid, self.places, strict=True)]
        padded = F.pad(values, [pad for one in reversed(missing) for pad in (0, one)])
        cut = padded.reshape(len(values), *(size for g in self.grid for size in (g, self.side)))
        return cut.sum(tuple(range(2, cut.ndim, 2))).flatten(1)

    def entries(self, chosen: Tensor) -> Tensor:
        """Tell which entries are in chosen blocks.

        Args:
            chosen: Booleans, (n, g).

        Returns:
            Booleans, (n, d) or (n, 1, *places).
        """
        mask = chosen.reshape(-1, *self.grid)
        for dim, size in enumerate(self.places, 1):
            mask = mask.repeat_interleave(self.side, dim).narrow(dim, 0, size)
        return mask.unsqueeze(1) if self.channels else mask


def choose_blocks(sums: Tensor, number: int, randomness: float) -> Tensor:
    """Choose blocks of each sample by the rank of their relevance, and by chance.

    The k blocks with the largest keys are chosen, of

        key_i = (1 - a) (1 - rank_i / (g - 1)) + a u_i        u_i uniform in [0, 1)

    where rank 0 is the most relevant block. With a = 0 these are the k most relevant ones, and with
    a = 1 any k of them are equally likely. In between, a block that is r ranks below another one
    takes its place with a probability that falls as (1 - a) r / (a (g - 1)) grows, and is 0 from
    where that is 1.

    Args:
        sums: Relevance of each block, (n, g).
        number: How many are chosen, k.
        randomness: a, 0 to 1.

    Returns:
        Booleans, (n, g), k of them true in each row.

    Source: Gururaj et al. 2025, "Relevance-driven input dropout", weigh relevance scaled to [0, 1]
    against uniform noise in this way for points of point clouds, and drop what is above a
    threshold; here ranks do not depend on outliers, and the share that is dropped is exact.
    """
    ranks = sums.argsort(dim=1, descending=True, stable=True).argsort(1)  # (n, g)
    keys = 1 - ranks.to(torch.float32) / (sums.shape[1] - 1)
    if randomness > 0:
        keys = (1 - randomness) * keys + randomness * torch.rand(keys.shape, device=keys.device)
    chosen = torch.zeros_like(ranks, dtype=torch.bool)
    return chosen.scatter_(1, keys.topk(number, 1).indices, True)


def choose_samples(count: int, probability: float, device: torch.device) -> Tensor:
    """Choose a share of a batch by chance: the share is exact but for the last sample.

    Args:
        count: Number of samples.
        probability: With which each is chosen.
        device: Of the result.

    Returns:
        Indices in random order; all in their own order, without a random number, for 1.
    """
    if probability == 1:
        return torch.arange(count, device=device)
    number = math.floor(probability * count + torch.rand(()).item())
    return torch.randperm(count, device=device)[:number]
