"""Localisation: how much of the relevance lies inside a mask.

Takes relevance and a mask. Must not know what the mask marks.

n  samples      d  positions of one sample, m of them inside the mask
"""

from dataclasses import dataclass

from torch import Tensor

from ...errors import InputError
from ...support.estimates import format_mean
from .concentration import check_finite_relevance
from .similarity import average_ranks


@dataclass(frozen=True, repr=False)
class Localisation:
    """Relevance inside a mask, one number per sample; see `localisation`.

    Attributes:
        mass_accuracy: Fraction of the positive relevance that lies inside, (n,); NaN where no
            relevance is positive.
        auc: Area under the ROC curve of inside against outside, (n,).
        mask_fraction: m / d, (n,): the mass accuracy of a uniform map, whose AUC is 1/2.
    """

    mass_accuracy: Tensor
    auc: Tensor
    mask_fraction: Tensor

    def __repr__(self) -> str:
        """Show means over samples, with 95 % intervals."""
        head = f"mask of {self.mask_fraction.mean():.2%}, {len(self.mask_fraction)} samples"
        mass, auc = format_mean(self.mass_accuracy), format_mean(self.auc)
        return f"{head}\nmass accuracy  {mass}\nAUC            {auc}"


def localisation(relevance: Tensor, mask: Tensor) -> Localisation:
    """Measure how much positive relevance lies inside a mask, and how high it ranks there.

    mass accuracy = sum_(i inside) max(R_i, 0) / sum_i max(R_i, 0)
    AUC           = P(R_i > R_j) + P(R_i = R_j) / 2, i drawn inside and j outside

    Args:
        relevance: Relevance, (n, *features). Channels of images (n, c, h, w) are summed first.
        mask: Nonzero inside. One mask for all samples, (h, w) for images, or one per sample,
            (n, h, w) or (n, 1, h, w).

    Returns:
        The two measures and the mask's size, on the CPU.

    Raises:
        InputError: Relevance is not finite, the mask does not fit it, or the mask of a sample is
            empty or covers everything.

    Example:
        >>> import torch
        >>> from relprop.evaluate import localisation
        >>> relevance = torch.tensor([[3.0, 1.0, 0.0, -1.0]])
        >>> found = localisation(relevance, torch.tensor([1, 0, 0, 0]))
        >>> found.mass_accuracy.item(), found.auc.item(), found.mask_fraction.item()
        (0.75, 1.0, 0.25)

    Sources: Arras et al. 2022, "CLEVR-XAI", relevance mass accuracy, here of positive relevance;
    Mann and Whitney 1947, whose U statistic is the AUC times m (d - m).
    """
    check_finite_relevance(relevance)
    positions = relevance.detach().double()
    positions = positions.sum(1) if positions.ndim == 4 else positions
    inside = _expand_mask(mask, positions)
    values = positions.flatten(1)  # (n, d)
    m, d = inside.sum(1), values.shape[1]
    positive = values.clamp(min=0)
    mass_accuracy = (positive * inside).sum(1) / positive.sum(1)
    # Mann and Whitney's U: the ranks of the m positions inside sum to at least m (m + 1) / 2, and
    # to one more for each pair in which the position outside ranks below the one inside.
    u = (average_ranks(values) * inside).sum(1) - m * (m + 1) / 2
    return Localisation(mass_accuracy.cpu(), (u / (m * (d - m))).cpu(), (m / d).cpu())


def _expand_mask(mask: Tensor, positions: Tensor) -> Tensor:
    """Broadcast the mask to every position of every sample, (n, d) boolean."""
    inside = mask.to(positions.device) != 0
    inside = inside.squeeze(1) if inside.ndim == positions.ndim + 1 else inside  # its one channel
    try:
        inside = inside.broadcast_to(positions.shape).flatten(1)
    except RuntimeError:
        raise InputError(
            f"a mask of shape {tuple(mask.shape)} for relevance of shape {tuple(positions.shape)}",
            "the shape of one sample's positions, or one mask per sample",
            "pass for example a boolean (h, w) for images (n, channels, h, w)",
        ) from None
    empty = (inside.all(1) | ~inside.any(1)).nonzero()
    if len(empty):
        raise InputError(
            f"a mask that covers nothing or everything, first for sample {int(empty[0, 0])}",
            "some positions inside and some outside",
            "leave out the samples without a mask",
        )
    return inside
