"""Bodies and pooling over steps in time or tokens of which some are padding.

Takes h (n, steps, features) and `present` (n, steps), True where there is data. What is computed
for a step that is present does not depend on how many steps of padding follow. Must not know
series, texts or training.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

HEAD_WIDTH = 16  # features of an attention head, at least


class Body(Protocol):
    """Maps (n, steps, features) and which steps are present to (n, steps, features)."""

    def __call__(self, h: Tensor, present: Tensor) -> Tensor: ...


def masked_mean(h: Tensor, present: Tensor) -> Tensor:
    """Average over the steps that are present: (n, steps, features) -> (n, features)."""
    kept = h.masked_fill(~present[:, :, None], 0.0)
    return kept.sum(1) / present.sum(1, keepdim=True).clamp(min=1)


class GatedRecurrence(nn.Module):
    """Layers of GRU, forward in time, so that padding at the end comes after all data."""

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        between = dropout if depth > 1 else 0.0
        self.layers = nn.GRU(width, width, depth, batch_first=True, dropout=between)

    def forward(self, h: Tensor, present: Tensor) -> Tensor:
        """Return the state after each step."""
        return self.layers(h)[0]  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """Learned positions and layers of a transformer, normalised before each part."""

    def __init__(self, width: int, depth: int, dropout: float, steps: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(steps, width))
        self.layers = nn.ModuleList(_attention(width, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, present: Tensor) -> Tensor:
        """Return what each step became after it saw all that are present."""
        h = h + self.positions[: h.shape[1]]
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=~present)
        return self.norm(h)  # type: ignore[no-any-return]


def _attention(width: int, dropout: float) -> nn.TransformerEncoderLayer:
    heads = max(h for h in (1, 2, 4, 8) if width % h == 0 and width // h >= min(HEAD_WIDTH, width))
    return nn.TransformerEncoderLayer(
        width, heads, 2 * width, dropout, nn.functional.gelu, batch_first=True, norm_first=True
    )
