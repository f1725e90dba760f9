"""Localisation: how much of the relevance lies where it is known to belong.

Takes relevance and a mask. Must not know what was marked, and why.

n  samples      d  places of one sample, m of them inside the mask
"""

from dataclasses import dataclass

from torch import Tensor

from ...errors import InputError
from ..statistics.estimates import told
from .concentration import check_finite_relevance
from .similarity import average_ranks


@dataclass(frozen=True, repr=False)
class Localisation:
    """Relevance inside a mask; see `localisation`. All (n,).

    share  of the positive relevance that is inside; NaN where none is positive
    area   under the ROC curve of inside against outside
    size   m / d: what `share` is of relevance that is the same everywhere; `area` is 1/2 then
    """

    share: Tensor
    area: Tensor
    size: Tensor

    def __repr__(self) -> str:
        """Means over samples, with 95 % intervals."""
        head = f"{self.size.mean():.2%} of the places, {len(self.size)} samples"
        return f"{head}\nshare  {told(self.share)}\narea   {told(self.area)}"


def localisation(relevance: Tensor, mask: Tensor) -> Localisation:
    """How much of the positive relevance is inside a mask, and how high it ranks there.

    share = sum_(i inside) max(R_i, 0) / sum_i max(R_i, 0)
    area  = P(R_i > R_j) + P(R_i = R_j) / 2, i inside and j outside, drawn at random

    relevance  (n, *features); of pictures (n, c, h, w) channels are summed first
    mask       nonzero inside: of a sample's places, (h, w) for pictures, or for each sample its own
    Sources: relevance mass accuracy of Arras et al. 2022 (CLEVR-XAI), of positive relevance here;
    the area is the statistic of Mann and Whitney 1947.
    """
    check_finite_relevance(relevance)
    places = relevance.detach().double()
    places = places.sum(1) if places.ndim == 4 else places
    inside = _spread(mask, places)
    values = places.flatten(1)  # (n, d)
    m, d = inside.sum(1), values.shape[1]
    positive = values.clamp(min=0)
    share = (positive * inside).sum(1) / positive.sum(1)
    # ranks of the m inside are m (m + 1) / 2 at least, and more by 1 for each place outside below
    beyond = (average_ranks(values) * inside).sum(1) - m * (m + 1) / 2
    return Localisation(share.cpu(), (beyond / (m * (d - m))).cpu(), (m / d).cpu())


def _spread(mask: Tensor, places: Tensor) -> Tensor:
    """The mask for each place of each sample, (n, d) boolean."""
    inside = mask.to(places.device) != 0
    inside = inside.squeeze(1) if inside.ndim == places.ndim + 1 else inside  # a channel of it
    try:
        inside = inside.broadcast_to(places.shape).flatten(1)
    except RuntimeError:
        raise InputError(
            f"a mask of shape {tuple(mask.shape)} for relevance of places {tuple(places.shape)}",
            "a sample's places, or those of each sample",
            "give for example a boolean (h, w) for pictures (n, channels, h, w)",
        ) from None
    empty = (inside.all(1) | ~inside.any(1)).nonzero()
    if len(empty):
        raise InputError(
            f"a mask that covers nothing or everything, first for sample {int(empty[0, 0])}",
            "some places inside and some outside",
            "leave out the samples without a mark",
        )
    return inside
