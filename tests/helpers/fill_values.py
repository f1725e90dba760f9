"""The values of a fill, and batches to fill."""

import torch

from relprop.evaluate import FILLS

IMAGES = torch.rand(6, 2, 5, 4, generator=torch.Generator().manual_seed(0)).double()
TABLE = torch.tensor([[1.0, 5], [1, 7], [3, 7], [1, 9]])


def values(fill, x, removed=None, seed=0):
    """The values of a fill, or of one by its name, for x; by default everything is removed."""
    fill = FILLS[fill]() if isinstance(fill, str) else fill
    removed = torch.ones_like(x, dtype=torch.bool) if removed is None else removed
    return fill.values(x, removed, torch.Generator().manual_seed(seed))
