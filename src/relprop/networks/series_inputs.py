"""What series networks share: the mask taken off the channels, blocks, pooling over time.

Takes x (n, channels, time), of which the last channel is 1 where there is data and 0 in the padding
if `masked`. Gives scores (n, outputs). Must not know data or training.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .family import Facts

SERIES_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}


def channels(facts: Facts) -> int:
    """Return the number of channels of the series themselves, without the mask."""
    return facts.shape[0] - facts.masked


def split_mask(x: Tensor, masked: bool) -> tuple[Tensor, Tensor]:
    """Split x into series (n, channels, time) and where they have data, (n, 1, time) of bool."""
    if not masked:
        return x, torch.ones_like(x[:, :1], dtype=torch.bool)
    return x[:, :-1], x[:, -1:] > 0.5


class SeriesBlock(nn.Module):
    """Convolution, normalisation, activation, in a row, with the padding set back to 0.

    Zeros are what a convolution pads with: padding does not change what is computed for the data.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, h: Tensor, present: Tensor) -> Tensor:
        """Map (n, channels, time) to (n, features, time)."""
        return self.layers(h).masked_fill(~present, 0.0)  # type: ignore[no-any-return]


def convolution1d(
    inputs: int, outputs: int, kernel: int, normalisation: str, activation: str
) -> list[nn.Module]:
    """Make the layers of a block: the series keeps its length."""
    normalised = normalisation == "batch"
    layers: list[nn.Module] = [
        nn.Conv1d(inputs, outputs, kernel, padding="same", bias=not normalised)
    ]
    if normalised:
        layers.append(nn.BatchNorm1d(outputs))
    return [*layers, SERIES_ACTIVATIONS[activation]()]


class Halve(nn.Module):
    """Averages each two neighbouring steps; an odd last one with a step of padding."""

    def forward(self, h: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, features, time) and the mask to half the time."""
        even = nn.functional.pad(h, (0, h.shape[2] % 2))
        return nn.functional.avg_pool1d(even, 2), present[:, :, ::2]


class MeanHead(nn.Module):
    """The mean over the time that is present, dropout, and a linear layer."""

    def __init__(self, features: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, outputs)

    def forward(self, h: Tensor, present: Tensor) -> Tensor:
        """Map (n, features, time), 0 in the padding, to (n, outputs)."""
        mean = h.sum(2) / present.sum(2).clamp(min=1)
        return self.linear(self.dropout(mean))  # type: ignore[no-any-return]
