"""Small models that take inputs of many sizes, with functions that make them."""

import torch
from torch import nn


class Encoder(nn.Module):
    """Tokens with a table of positions, torch's attention; reads its tokens as told."""

    def __init__(self, read):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(20, 8), nn.Embedding(32, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head, self.read = nn.Linear(8, 3), read

    def forward(self, ids):
        h = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.head(self.read(self.layer(h)))


class Pictures(nn.Module):
    """Convolutions, a pool to a size, and one by windows of two."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(16, 3)

    def forward(self, x):
        h = nn.functional.max_pool2d(self.norm(self.a(x)).relu(), 2)
        return self.head(nn.functional.adaptive_avg_pool2d(self.b(h).relu(), 2).flatten(1))


class Windows(nn.Module):
    """Windows of four before the samples in one dimension, so many as the length has."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        windows = x.unflatten(1, (-1, 4)).transpose(0, 1).flatten(0, 1)  # (windows batch, 4)
        return self.head(self.layer(windows).relu().unflatten(0, (-1, x.shape[0])).mean(0))


def ids(length):
    return torch.arange(2 * length).reshape(2, length) * 7 % 20


def sequence(length):
    generator = torch.Generator().manual_seed(length)
    return torch.randn(2, length, 4, generator=generator, dtype=torch.float64)


def series(length):
    return sequence(length // 4).flatten(1)


def picture(size):
    generator = torch.Generator().manual_seed(size)
    return torch.randn(2, 2, size, size + 3, generator=generator, dtype=torch.float64)
