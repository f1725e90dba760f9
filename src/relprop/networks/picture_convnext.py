"""Networks for pictures after ConvNeXt: wide kernels of one channel each, then a small network.

Take pictures (n, c, h, w), give scores (n, outputs). Must not know data or training.
Source: Liu et al. 2022, "A ConvNet for the 2020s", at the size that small pictures need.
"""

import torch
from torch import Tensor, nn

from .family import Facts, Settings
from .picture_layers import PICTURE_ACTIVATIONS, PictureHead, first_stride, halvings, with_mirror

_WIDENING = 4  # of channels inside a block
_FIRST_SCALE = 0.1  # of what a block adds, before training


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel of (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        normalised: Tensor = self.norm(x.permute(0, 2, 3, 1))  # (n, h, w, c)
        return normalised.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Adds to each pixel what a small network makes of its surroundings.

    Args:
        channels: Channels of the picture.
        kernel: Side of the surroundings, odd.
        activation: Name of an activation.
    """

    def __init__(self, channels: int, kernel: int, activation: str) -> None:
        super().__init__()
        self.surroundings = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels
        )
        self.pixel = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, _WIDENING * channels),
            PICTURE_ACTIVATIONS[activation](),
            nn.Linear(_WIDENING * channels, channels),
        )
        self.scale = nn.Parameter(torch.full((channels,), _FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        y = self.surroundings(x).permute(0, 2, 3, 1)  # (n, h, w, c)
        change: Tensor = self.pixel(y) * self.scale
        return x + change.permute(0, 3, 1, 2)


def build_convnext(settings: Settings, facts: Facts) -> nn.Module:
    """Build a first layer that halves the picture, and levels of `depth` blocks.

    Args:
        settings: `width` (channels of the first level), `depth`, `kernel`, `activation`,
            `pooling`, `dropout`, `mirror`.
        facts: Shape of a picture and number of outputs.
    """
    channels, times = int(settings["width"]), halvings(facts.shape)
    step = first_stride(facts.shape) * (2 if times else 1)
    layers: list[nn.Module] = [nn.Conv2d(facts.shape[0], channels, step, step)]
    layers.append(ChannelNorm(channels))
    layers += _blocks(channels, settings)
    for _ in range(times - 1):
        layers += [ChannelNorm(channels), nn.Conv2d(channels, 2 * channels, 2, 2)]
        channels *= 2
        layers += _blocks(channels, settings)
    layers += [ChannelNorm(channels), PictureHead(channels, settings, facts)]
    return with_mirror(nn.Sequential(*layers), settings)


def _blocks(channels: int, settings: Settings) -> list[nn.Module]:
    kernel, activation = int(settings["kernel"]), str(settings["activation"])
    depth = int(settings["depth"])
    return [ConvNeXtBlock(channels, kernel, activation) for _ in range(depth)]
