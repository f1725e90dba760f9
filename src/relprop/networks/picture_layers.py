"""What networks of pictures are made of: convolutions, normalisation, activations, the head.

Gives modules, and how often a picture is halved on its way. Must not know families or training.

    n  pictures      c  channels      h, w  height and width
"""

from torch import Tensor, nn

from .family import Facts, Settings
from .mirror import MeanOfMirrored

PICTURE_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
NORMALISATIONS = ("batch", "group", "none")
_CHANNELS_IN_GROUP = 8
_SMALLEST = 4  # pixels on the shorter side that are left
_LARGEST = 64  # from here on the first layer takes larger steps, so that the second has less


def normalisation(name: str, channels: int) -> nn.Module:
    """Make a normalisation by its name: "batch", "group" or "none"."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "group":
        return nn.GroupNorm(max(1, channels // _CHANNELS_IN_GROUP), channels)
    return nn.Identity()


def convolution2d(inputs: int, outputs: int, settings: Settings, stride: int = 1) -> nn.Sequential:
    """Make a convolution of 3 x 3 with normalisation and activation.

    A stride of more than one has a kernel twice as large, so that no pixel is left out.

    Args:
        inputs: Channels that it takes.
        outputs: Channels that it gives.
        settings: `normalisation` and `activation`.
        stride: By how much it shrinks the picture.
    """
    norm = str(settings["normalisation"])
    kernel, padding = (3, 1) if stride == 1 else (2 * stride, stride // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=norm == "none"),
        normalisation(norm, outputs),
        PICTURE_ACTIVATIONS[str(settings["activation"])](),
    )


def first_stride(shape: tuple[int, ...]) -> int:
    """Return by how much the first layer shrinks a picture: 1 below 64 pixels, 2, 4, ...

    Args:
        shape: Of a picture, (c, h, w).
    """
    stride = 1
    while min(shape[1:]) >= _LARGEST * stride:
        stride *= 2
    return stride


def halvings(shape: tuple[int, ...]) -> int:
    """Return how often a picture is halved after the first layer, so that 4 pixels are left.

    Args:
        shape: Of a picture, (c, h, w).
    """
    side, times = min(shape[1:]) // first_stride(shape), 0
    while side >= 2 * _SMALLEST:
        side, times = side // 2, times + 1
    return times


class PictureHead(nn.Module):
    """Pools over the picture, (n, c, h, w), and maps what is left to scores, (n, outputs).

    Args:
        channels: Channels c.
        settings: `pooling`, "mean" or "max", and `dropout`.
        facts: Says how many outputs there are.
    """

    def __init__(self, channels: int, settings: Settings, facts: Facts) -> None:
        super().__init__()
        is_mean = settings["pooling"] == "mean"
        self.pool = nn.AdaptiveAvgPool2d(1) if is_mean else nn.AdaptiveMaxPool2d(1)
        self.dropout = nn.Dropout(float(settings["dropout"]))
        self.linear = nn.Linear(channels, facts.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, (n, outputs)."""
        scores: Tensor = self.linear(self.dropout(self.pool(x).flatten(1)))
        return scores


def with_mirror(network: nn.Module, settings: Settings) -> nn.Module:
    """Let a network average over mirrored pictures where the setting `mirror` says so."""
    return MeanOfMirrored(network) if settings["mirror"] else network
