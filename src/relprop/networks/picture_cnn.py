"""Networks for pictures of convolutions: plain, or with residual blocks after ResNet-9.

Take pictures (n, c, h, w), give scores (n, outputs). Each halving of the picture doubles the
channels. Must not know data or training. Source of the second: Page 2018, "How to train your
ResNet".
"""

from torch import Tensor, nn

from .family import Facts, Settings
from .picture_layers import PictureHead, convolution2d, first_stride, halvings, with_mirror


def build_cnn(settings: Settings, facts: Facts) -> nn.Module:
    """Build levels of `depth` convolutions, with a maximum over 2 x 2 pixels between levels.

    Args:
        settings: `width` (channels of the first level), `depth`, `normalisation`, `activation`,
            `pooling`, `dropout`, `mirror`.
        facts: Shape of a picture and number of outputs.
    """
    channels = int(settings["width"])
    first = convolution2d(facts.shape[0], channels, settings, first_stride(facts.shape))
    layers: list[nn.Module] = [first]
    further = int(settings["depth"]) - 1
    layers += [convolution2d(channels, channels, settings) for _ in range(further)]
    for _ in range(halvings(facts.shape)):
        layers += [nn.MaxPool2d(2), convolution2d(channels, 2 * channels, settings)]
        channels *= 2
        layers += [convolution2d(channels, channels, settings) for _ in range(further)]
    return with_mirror(nn.Sequential(*layers, PictureHead(channels, settings, facts)), settings)


class Residual(nn.Module):
    """Adds what two convolutions make of a picture to the picture.

    Args:
        channels: Channels of the picture.
        settings: `normalisation` and `activation`.
    """

    def __init__(self, channels: int, settings: Settings) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            convolution2d(channels, channels, settings), convolution2d(channels, channels, settings)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        changed: Tensor = self.branch(x)
        return x + changed


def build_resnet(settings: Settings, facts: Facts) -> nn.Module:
    """Build levels of one convolution, of which every other one, and the last, has residual blocks.

    Args:
        settings: `width` (channels of the first level), `depth` (residual blocks of a level that
            has them), `normalisation`, `activation`, `pooling`, `dropout`, `mirror`.
        facts: Shape of a picture and number of outputs.
    """
    channels, last = int(settings["width"]), halvings(facts.shape)
    first = convolution2d(facts.shape[0], channels, settings, first_stride(facts.shape))
    layers: list[nn.Module] = [first]
    for level in range(last + 1):
        if level:
            layers += [nn.MaxPool2d(2), convolution2d(channels, 2 * channels, settings)]
            channels *= 2
        if (last - level) % 2 == 0 and (level or last == 0):
            layers += [Residual(channels, settings) for _ in range(int(settings["depth"]))]
    return with_mirror(nn.Sequential(*layers, PictureHead(channels, settings, facts)), settings)
