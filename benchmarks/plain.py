"""Models in plain torch that the zoo's libraries do not have. All take the batch first."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = 10
WORDS = 100  # of the vocabulary; word 0 pads


class LastWord(nn.Module):
    """A model that scores each token, reduced to the scores of the last: (batch, scores)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Map token ids and masks, both (batch, length), to scores (batch, scores)."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits[:, -1]


class Recurrent(nn.Module):
    """An embedding, a recurrent layer of torch, and a classifier on its last output."""

    def __init__(self, kind: type[nn.RNNBase], *, batch_first: bool = True, **options: Any) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.embedding = nn.Embedding(WORDS, 16)
        self.layer = kind(16, 32, batch_first=batch_first, **options)
        self.head = nn.Linear(64 if self.layer.bidirectional else 32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map token ids (batch, length) to scores (batch, classes)."""
        x = self.embedding(x)
        x = self.layer(x if self.batch_first else x.transpose(0, 1))[0]
        return self.head(x[:, -1] if self.batch_first else x[-1])


class Attention(nn.Module):
    """One layer of attention with a residual sum, over feature vectors."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.attention = nn.MultiheadAttention(32, 4, batch_first=batch_first)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences (batch, length, 32) to scores (batch, classes)."""
        y = x if self.batch_first else x.transpose(0, 1)
        y = y + self.attention(y, y, y)[0]
        return self.head(y.mean(1 if self.batch_first else 0))


class Encoder(nn.Module):
    """torch's transformer encoder over token ids."""

    def __init__(self, *, padded: bool = False, **options: Any) -> None:
        super().__init__()
        self.padded = padded
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, **options)
        self.embedding = nn.Embedding(WORDS, 32)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map token ids (batch, length) to scores (batch, classes)."""
        mask = x <= WORDS // 4 if self.padded else None  # low numbers stand for padding
        return self.head(self.encoder(self.embedding(x), src_key_padding_mask=mask).mean(1))


class Translator(nn.Module):
    """torch's transformer: a decoder that attends to the encoding of the same vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences (batch, length, 32) to scores (batch, classes)."""
        return self.head(self.transformer(x, x[:, :3]).mean(1))


class Packed(nn.Module):
    """An LSTM over texts of different lengths, packed."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.layer = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map token ids (batch, length) to scores (batch, classes)."""
        lengths = (x > 0).sum(1).cpu()
        words = nn.utils.rnn.pack_padded_sequence(self.embedding(x), lengths, batch_first=True)
        return self.head(self.layer(words)[1][0][-1])


class UNet(nn.Module):
    """Two downsamplings, a transposed convolution and an interpolation, averaged scores."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = block(3, 8), block(8, 16), block(16, 32)
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.fourth, self.fifth = block(32, 16), block(24, 8)
        self.head = nn.Conv2d(8, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (batch, 3, h, w) to scores (batch, classes)."""
        wide = self.first(x)
        middle = self.second(F.max_pool2d(wide, 2))
        y = self.up(self.third(F.max_pool2d(middle, 2)))
        y = self.fourth(torch.cat([y, middle], 1))
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return self.head(self.fifth(torch.cat([y, wide], 1))).mean((2, 3))


def block(channels: int, width: int) -> nn.Module:
    """Build a convolution with BatchNorm and ReLU."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())


class MessagePassing(nn.Module):
    """Two rounds of messages along the edges of a ring with chords, and a mean over nodes."""

    def __init__(self, *, scatter: bool, nodes: int = 12) -> None:
        super().__init__()
        self.scatter = scatter
        near = torch.arange(nodes)
        self.register_buffer("source", torch.cat([near, near, near]))
        self.register_buffer("goal", torch.cat([near, (near + 1) % nodes, (near + 4) % nodes]))
        self.layers = nn.ModuleList([nn.Linear(8, 16), nn.Linear(16, 16)])
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map features of nodes (batch, nodes, 8) to scores (batch, classes)."""
        for layer in self.layers:
            x = F.relu(self.gather(layer(x)))
        return self.head(x.mean(1))

    def gather(self, x: Tensor) -> Tensor:
        """Sum over the edges of each node."""
        sent, zeros = x[:, self.source], torch.zeros_like(x)
        if self.scatter:
            return zeros.scatter_add(1, self.goal[None, :, None].expand_as(sent), sent)
        return zeros.index_add(1, self.goal, sent)
