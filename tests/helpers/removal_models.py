"""Small models whose removal curves can be written down."""

import torch
from torch import nn


class Weighted(nn.Module):
    """Class 0 scores w.x and class 1 scores 0."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)
        self.rows = []  # the size of each batch that was seen

    def forward(self, x):
        self.rows.append(len(x))
        score = x.flatten(1) @ self.w.flatten()
        return torch.stack([score, torch.zeros_like(score)], 1)


class Product(nn.Module):
    """Class 0 scores a sum and products of the features, so that no plain sort is best."""

    def forward(self, x):
        score = x[:, 0] + 2 * x[:, 1] * x[:, 2] - x[:, 3] * x[:, 0] + 0.5 * x[:, 4]
        return torch.stack([score, torch.zeros_like(score)], 1)


def weighted(*shape, samples=5, seed=0):
    """A Weighted model and a batch, float64, in eval mode."""
    gen = torch.Generator().manual_seed(seed)
    w = torch.randn(shape, generator=gen, dtype=torch.float64)
    x = torch.randn((samples, *shape), generator=gen, dtype=torch.float64)
    return Weighted(w).eval(), x
