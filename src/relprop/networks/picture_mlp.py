"""Networks for pictures that do not know which pixels are neighbours: a multilayer perceptron.

Takes pictures (n, c, h, w), gives scores (n, outputs). Must not know data or training.
"""

from torch import nn

from .family import Facts, Settings
from .picture_layers import PICTURE_ACTIVATIONS, with_mirror

_MOST_SIDE = 32  # pixels: larger pictures are averaged down, or the first layer would be huge


def build_mlp(settings: Settings, facts: Facts) -> nn.Module:
    """Build linear layers with activations between them.

    Args:
        settings: `width`, `depth` (hidden layers), `normalisation` ("batch" or "none"),
            `activation`, `dropout`, `mirror`.
        facts: Shape of a picture and number of outputs.
    """
    channels, height, width = facts.shape
    down, across = (-(-side // _MOST_SIDE) for side in (height, width))
    layers: list[nn.Module] = [nn.AvgPool2d((down, across))] if max(down, across) > 1 else []
    layers.append(nn.Flatten())
    features = channels * (height // down) * (width // across)
    for _ in range(int(settings["depth"])):
        layers += _hidden(features, settings)
        features = int(settings["width"])
    layers.append(nn.Linear(features, facts.outputs))
    return with_mirror(nn.Sequential(*layers), settings)


def _hidden(features: int, settings: Settings) -> list[nn.Module]:
    width = int(settings["width"])
    is_normalised = settings["normalisation"] == "batch"
    return [
        nn.Linear(features, width, bias=not is_normalised),
        *([nn.BatchNorm1d(width)] if is_normalised else []),
        PICTURE_ACTIVATIONS[str(settings["activation"])](),
        nn.Dropout(float(settings["dropout"])),
    ]
