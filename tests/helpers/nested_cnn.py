"""A small convolutional network of nested modules, without biases, and images for it."""

from torch import nn

from helpers.networks import pixels

PIXELS = pixels(2, 1, 12, 12)


def nested_cnn() -> nn.Module:
    """Modules 0 (convolution, BatchNorm, ReLU), 1, 2 (convolution, ReLU), 3 and 4 (linear)."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(6 * 9, 3, bias=False)),
    )
