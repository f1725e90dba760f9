"""What removal curves of a bundle's samples remove together, and which samples are too short.

Takes prepared samples. Gives units. Must not know pages.

    n  samples      c  channels      t  steps
"""

import torch
from torch import Tensor

from ..evaluate import Units, grouped, windows


def series_windows(x: Tensor, parts: int, *, masked: bool) -> Units:
    """Return windows of a part of the longest series; padding and its mask are in none.

    Args:
        x: Prepared series, (n, c, t).
        parts: Windows of a channel of the longest series.
        masked: Whether the last channel is the mask: 1 where there is data, 0 in the padding.
    """
    length = -(-x.shape[2] // parts)
    if not masked:
        return windows(length)(x)
    of_values = windows(length, x[:, -1] != 0)(x[:, :-1])
    outside = torch.full_like(of_values.index[:, :1], -1)
    return grouped(torch.cat([of_values.index, outside], 1))


def long_enough(tokens: Tensor, steps: int) -> Tensor:
    """Tell which texts are not left out: a single one of one token would leave one step to all.

    Args:
        tokens: How many tokens each text has, (n,).
        steps: Steps that curves are to have.

    Returns:
        Whether each has so many tokens, or at least as many as half of the texts, (n,).
    """
    return tokens >= tokens.median().clamp(max=steps)
