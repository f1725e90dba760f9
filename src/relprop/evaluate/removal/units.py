"""Units: which entries of a sample are removed together.

Takes a batch, gives a map from entries to units. Must not know relevance's source nor fills.

n  samples      d  units of a sample, the most that one has      c, h, w  of a picture
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError


@dataclass(frozen=True)
class Units:
    """The unit of every entry. Samples may have units of their own, and different numbers of them.

    index  (1 or n, *sizes), sizes that broadcast to a sample's: 0 to count - 1; -1: in no unit,
           which is never removed
    count  (1 or n,) units of a sample
    """

    index: Tensor
    count: Tensor

    def gather(self, relevance: Tensor, x: Tensor) -> Tensor:
        """Relevance of each unit, (n, d): the sum over its entries.

        relevance  like x; or (n, d), which is of units already; or of a picture without its
                   channels, (n, h, w) or (n, 1, h, w), or a sequence without its dimensions, (n, l)
        """
        d = int(self.count.max())
        if relevance.shape != x.shape:
            if relevance.shape == (len(x), d):
                return relevance.detach()
            relevance = _spread(relevance, x)
        entries = relevance.detach().flatten(1)  # (n, features)
        index = self.index.expand(len(self.index), *x.shape[1:]).flatten(1).expand(len(x), -1)
        sums = entries.new_zeros(len(x), d + 1)  # the last one takes what is in no unit
        return sums.scatter_add_(1, index.where(index >= 0, d), entries)[:, :d]

    def scatter(self, values: Tensor, nothing: int) -> Tensor:
        """From a number for each unit, (n, d), to one for each entry, (n, *sizes).

        nothing  what entries get that are in no unit
        """
        index = self.index.flatten(1).expand(len(values), -1)
        found = values.gather(1, index.clamp(min=0)).where(index >= 0, nothing)
        return found.reshape(len(values), *self.index.shape[1:])


Maker = Callable[[Tensor], Units]  # a batch (n, *features) -> its units


def default(x: Tensor) -> Units:
    """Pixels of pictures (n, c, h, w), single entries of anything else."""
    return pixels(x) if x.ndim == 4 else entries(x)


def entries(x: Tensor) -> Units:
    """Each entry by itself: a column of a table, a token of (n, length) ids, a pixel's channel."""
    return grouped(torch.arange(x[0].numel(), device=x.device).reshape(1, *x.shape[1:]))


def pixels(x: Tensor) -> Units:
    """The pixels of pictures (n, c, h, w), each with all of its channels."""
    return patches(1)(x)


def patches(size: int) -> Maker:
    """Squares of size x size pixels; the last of a row or column may be smaller."""
    if not isinstance(size, int) or size < 1:
        raise InputError(f"patches of size {size!r}", "a whole number >= 1", "write patches(4)")

    def make(x: Tensor) -> Units:
        check_pictures(x, "patches")
        h, w = x.shape[2:]
        across = -(-w // size)
        rows, columns = (torch.arange(length, device=x.device) // size for length in (h, w))
        return grouped((rows[:, None] * across + columns).reshape(1, 1, h, w))

    return make


def columns(groups: Sequence[int]) -> Maker:
    """Columns of a table (n, columns) in groups: what is one-hot encoded is removed as one.

    groups  the group of each column, such as (0, 1, 1, 1, 2), or -1 for one that is never removed
    """
    return lambda x: grouped(torch.tensor(groups, device=x.device)[None])


def tokens(present: Tensor) -> Maker:
    """Tokens of a sequence, (n, length) ids or (n, length, dimensions) embeddings.

    present  (n, length), nonzero where a token may be removed: an attention mask, so that padding
             is no token, without what the model always needs, such as a first [CLS]
    """

    def make(x: Tensor) -> Units:
        there = present.to(x.device) != 0
        if there.shape != x.shape[:2]:
            raise InputError(
                f"present of shape {tuple(there.shape)} for tokens of shape {tuple(x.shape)}",
                f"one entry for each token, {tuple(x.shape[:2])}",
                "give the attention mask of this batch",
            )
        index = (there.cumsum(1) - 1).masked_fill(~there, -1)
        return grouped(index.reshape(*index.shape, *[1] * (x.ndim - 2)))

    return make


def grouped(index: Tensor) -> Units:
    """Units by a map of one's own; see `Units` for its shape.

    Raises InputError unless every sample's units are numbered 0, 1, 2, ... without a gap.
    """
    flat = index.flatten(1).long()
    count = flat.amax(1) + 1
    d = max(1, int(count.max()))
    used = torch.zeros(len(flat), d + 1, device=flat.device)
    used.scatter_(1, flat.where(flat >= 0, d), 1.0)
    gaps = used[:, :d].sum(1) != count
    if flat.min() < -1 or bool((gaps | (count < 1)).any()):
        raise InputError(
            "units that are not numbered 0, 1, 2, ... without a gap in every sample",
            "whole numbers from 0, and -1 for entries that are never removed",
            "number them with torch.unique(index, return_inverse=True)",
        )
    return Units(index.long(), count)


def check_units(units: Units, x: Tensor) -> None:
    """InputError unless a map of units fits a batch."""
    fits = len(units.index) in (1, len(x)) and units.index.ndim == x.ndim
    if not fits or any(
        size not in (1, full) for size, full in zip(units.index.shape[1:], x.shape[1:], strict=True)
    ):
        raise InputError(
            f"units of shape {tuple(units.index.shape)} for x of shape {tuple(x.shape)}",
            "one map for all samples or one for each, of a sample's shape",
            "make them for this batch, for example with relprop.evaluate.patches(4)",
        )


def check_pictures(x: Tensor, what: str) -> None:
    """InputError unless x is a batch of pictures."""
    if x.ndim != 4:
        raise InputError(
            f"{what} of x of shape {tuple(x.shape)}", "(n, channels, h, w)", "give pictures"
        )


def _spread(relevance: Tensor, x: Tensor) -> Tensor:
    """Relevance of a pixel or a token, in equal parts on its channels or dimensions."""
    lacking = 1 if x.ndim == 4 else 2
    if relevance.ndim == x.ndim - 1:
        relevance = relevance.unsqueeze(lacking)
    if x.ndim < 3 or relevance.shape != (*x.shape[:lacking], 1, *x.shape[lacking + 1 :]):
        raise InputError(
            f"relevance of shape {tuple(relevance.shape)} for x of shape {tuple(x.shape)}",
            "the shape of x, or one number for each unit, pixel or token",
            "give relevance of this very batch",
        )
    return (relevance / x.shape[lacking]).expand_as(x)
