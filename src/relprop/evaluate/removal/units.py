"""Units: which entries of a sample are removed together.

Takes a batch, gives a map from entries to units. Must not know where relevance comes from, nor what
replaces removed entries.

n  samples      d  units of a sample, the most that one has      c, h, w  of an image
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ..images import require_images


@dataclass(frozen=True)
class Units:
    """The unit of every entry. Samples may have different units, and different numbers of them.

    Attributes:
        index: Unit of each entry, (1 or n, *sizes), with sizes that broadcast to a sample's: 0 to
            count - 1, or -1 for entries that are never removed.
        count: Units per sample, (1 or n,).
    """

    index: Tensor
    count: Tensor

    def aggregate(self, relevance: Tensor, x: Tensor) -> Tensor:
        """Sum relevance over the entries of each unit.

        Args:
            relevance: Shaped like `x`; or (n, d), which is per unit already; or of images without
                channels, (n, h, w) or (n, 1, h, w); or of embeddings without dimensions, (n, l).
            x: The batch, (n, *features).

        Returns:
            Relevance per unit, (n, d).

        Raises:
            InputError: Relevance of another shape.

        Example:
            >>> x = torch.tensor([[1.0, 2.0, 4.0]])
            >>> columns([0, 1, 1])(x).aggregate(x, x).tolist()
            [[1.0, 6.0]]
        """
        d = int(self.count.max())
        if relevance.shape != x.shape:
            if relevance.shape == (len(x), d):
                return relevance.detach()
            relevance = _spread_over_channels(relevance, x)
        values = relevance.detach().flatten(1)  # (n, features)
        index = self.index.expand(len(self.index), *x.shape[1:]).flatten(1).expand(len(x), -1)
        sums = values.new_zeros(len(x), d + 1)  # the last one is for entries in no unit
        return sums.scatter_add_(1, index.where(index >= 0, d), values)[:, :d]

    def expand(self, values: Tensor, outside: int) -> Tensor:
        """Give each entry the value of its unit.

        Args:
            values: One value per unit, (n, d).
            outside: The value of entries that are in no unit.

        Returns:
            One value per entry, (n, *sizes).

        Example:
            >>> units = grouped(torch.tensor([[0, 1, 1, -1]]))
            >>> units.expand(torch.tensor([[5, 7]]), outside=0).tolist()
            [[5, 7, 7, 0]]
        """
        index = self.index.flatten(1).expand(len(values), -1)
        expanded = values.gather(1, index.clamp(min=0)).where(index >= 0, outside)
        return expanded.reshape(len(values), *self.index.shape[1:])


UnitMaker = Callable[[Tensor], Units]  # a batch (n, *features) -> its units


def default_units(x: Tensor) -> Units:
    """Return the pixels of images (n, c, h, w), the single entries of anything else."""
    return pixels(x) if x.ndim == 4 else entries(x)


def entries(x: Tensor) -> Units:
    """Make each entry a unit: a column of a table, a token of (n, length) ids, a pixel's channel.

    Args:
        x: Samples, (n, *features).

    Returns:
        As many units as a sample has entries.

    Example:
        >>> entries(torch.zeros(2, 3)).index.tolist()
        [[0, 1, 2]]
    """
    return grouped(torch.arange(x[0].numel(), device=x.device).reshape(1, *x.shape[1:]))


def pixels(x: Tensor) -> Units:
    """Make each pixel of an image a unit, with all of its channels.

    Args:
        x: Images, (n, c, h, w).

    Returns:
        h * w units.

    Raises:
        InputError: `x` is not a batch of images.

    Example:
        >>> pixels(torch.zeros(5, 3, 2, 2)).index.tolist()
        [[[[0, 1], [2, 3]]]]
    """
    return patches(1)(x)


def patches(size: int) -> UnitMaker:
    """Make squares of size x size pixels the units, with all channels.

    Args:
        size: Side of a square, in pixels. The last ones of a row or column may be smaller.

    Returns:
        A function from images (n, c, h, w) to their units.

    Raises:
        InputError: A size that is no whole number >= 1; or, when the function is called, a batch
            that is not of images.

    Example:
        >>> patches(2)(torch.zeros(1, 1, 2, 4)).index.tolist()
        [[[[0, 0, 1, 1], [0, 0, 1, 1]]]]
    """
    _check_size("patches", size, 4)

    def make(x: Tensor) -> Units:
        require_images(x, "patches")
        h, w = x.shape[2:]
        per_row = -(-w // size)
        rows, columns = (torch.arange(length, device=x.device) // size for length in (h, w))
        return grouped((rows[:, None] * per_row + columns).reshape(1, 1, h, w))

    return make


def windows(length: int, mask: Tensor | None = None) -> UnitMaker:
    """Make windows of consecutive time steps of a channel the units of time series.

    Single steps set to another value are spikes that no series has: most models fail on a few of
    them wherever they are, so that a random order seems as good as the relevance.

    Args:
        length: Time steps of a window. The last one of a channel may be shorter.
        mask: Nonzero where a series has data, (n, time), so that padding at its end is never
            removed; None: everywhere.

    Returns:
        A function from series (n, channels, time) to their units.

    Raises:
        InputError: A length that is no whole number >= 1; or, when the function is called, a batch
            that is not of series, or a mask of another batch's shape.

    Example:
        >>> windows(2)(torch.zeros(4, 2, 3)).index.tolist()
        [[[0, 0, 1], [2, 2, 3]]]
    """
    _check_size("windows", length, 20)

    def make(x: Tensor) -> Units:
        if x.ndim != 3:
            given = f"windows of x of shape {tuple(x.shape)}"
            raise InputError(given, "series (n, channels, time)", "pass series")
        there = torch.ones(1, x.shape[2], device=x.device) if mask is None else mask.to(x.device)
        if mask is not None:
            _check_mask(there, (len(x), x.shape[2]), "series", x)
        ends = (there != 0) * torch.arange(1, x.shape[2] + 1, device=x.device)
        per_channel = -(-ends.amax(1) // length)  # (n,)
        first = torch.arange(x.shape[1], device=x.device) * per_channel[:, None]
        index = first[:, :, None] + torch.arange(x.shape[2], device=x.device) // length
        return grouped(index.where(there[:, None] != 0, -1))

    return make


def columns(groups: Sequence[int]) -> UnitMaker:
    """Make groups of a table's columns the units, such as the columns of a one-hot encoding.

    Args:
        groups: Group of each column, such as (0, 1, 1, 1, 2), or -1 for one that is never removed.

    Returns:
        A function from a table (n, columns) to its units.

    Raises:
        InputError: When the function is called, groups that are not numbered 0, 1, 2, ...

    Example:
        >>> units = columns([0, 1, 1])(torch.zeros(4, 3))
        >>> units.index.tolist(), units.count.tolist()
        ([[0, 1, 1]], [2])
    """
    return lambda x: grouped(torch.tensor(groups, device=x.device)[None])


def tokens(mask: Tensor) -> UnitMaker:
    """Make each token of a sequence a unit.

    Args:
        mask: Nonzero where a token may be removed, (n, length): an attention mask, so that padding
            is never removed, without tokens that the model always needs, such as a first [CLS].

    Returns:
        A function from (n, length) ids, or (n, length, dimensions) embeddings, to their units.

    Raises:
        InputError: When the function is called, a mask of another batch's shape.

    Example:
        >>> units = tokens(torch.tensor([[0, 1, 1], [0, 1, 0]]))(torch.zeros(2, 3))
        >>> units.index.tolist(), units.count.tolist()
        ([[-1, 0, 1], [-1, 0, -1]], [2, 1])
    """

    def make(x: Tensor) -> Units:
        removable = mask.to(x.device) != 0
        _check_mask(removable, tuple(x.shape[:2]), "tokens", x)
        index = (removable.cumsum(1) - 1).masked_fill(~removable, -1)
        return grouped(index.reshape(*index.shape, *[1] * (x.ndim - 2)))

    return make


def grouped(index: Tensor) -> Units:
    """Make units by a map of your own.

    Args:
        index: Unit of each entry, (1 or n, *sizes), with sizes that broadcast to a sample's. In
            every sample units are numbered 0, 1, 2, ... without a gap; -1 is never removed.

    Returns:
        The units.

    Raises:
        InputError: Units of a sample that are numbered otherwise.

    Example:
        >>> halves = torch.tensor([[[[0, 0, 1, 1]]]])  # of images (n, c, h, 4)
        >>> grouped(halves).count.tolist()
        [2]
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
    """Raise InputError unless units fit a batch."""
    fits = len(units.index) in (1, len(x)) and units.index.ndim == x.ndim
    if not fits or any(
        size not in (1, full) for size, full in zip(units.index.shape[1:], x.shape[1:], strict=True)
    ):
        raise InputError(
            f"units of shape {tuple(units.index.shape)} for x of shape {tuple(x.shape)}",
            "one map for all samples or one for each, of a sample's shape",
            "make them for this batch, for example with relprop.evaluate.patches(4)",
        )


def _check_size(owner: str, size: int, example: int) -> None:
    if not isinstance(size, int) or size < 1:
        todo = f"write {owner}({example})"
        raise InputError(f"{owner} of size {size!r}", "a whole number >= 1", todo)


def _check_mask(mask: Tensor, wanted: tuple[int, ...], owner: str, x: Tensor) -> None:
    if mask.shape != wanted:
        raise InputError(
            f"a mask of shape {tuple(mask.shape)} for {owner} of shape {tuple(x.shape)}",
            f"one entry for each step of a sample, {wanted}",
            "pass the mask of this batch",
        )


def _spread_over_channels(relevance: Tensor, x: Tensor) -> Tensor:
    """Divide the relevance of a pixel, or a token, equally among its channels, or dimensions."""
    channel_dim = 1 if x.ndim == 4 else 2
    if relevance.ndim == x.ndim - 1:
        relevance = relevance.unsqueeze(channel_dim)
    per_pixel = (*x.shape[:channel_dim], 1, *x.shape[channel_dim + 1 :])
    if x.ndim < 3 or relevance.shape != per_pixel:
        raise InputError(
            f"relevance of shape {tuple(relevance.shape)} for x of shape {tuple(x.shape)}",
            "the shape of x, or one number for each unit, pixel or token",
            "pass relevance of this very batch",
        )
    return (relevance / x.shape[channel_dim]).expand_as(x)
