"""Networks of relevance_drop.py: a CNN as for Fashion-MNIST, and a ResNet."""

from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and what goes around them."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.around = nn.Identity()
        if stride > 1 or channels != out:
            around = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.around = nn.Sequential(around, nn.BatchNorm2d(out))
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Add what goes through and around, and take the positive part."""
        return self.act(self.body(x) + self.around(x))


def cnn(width: int = 16) -> nn.Sequential:
    """Return a network of grey pictures of 28 x 28 pixels, 10 classes."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * 49, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def resnet(width: int = 16, stride: int = 1) -> nn.Sequential:
    """Return a network of coloured pictures of 32 x 32 pixels, 10 classes."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Residual(width, width, 1),
        Residual(width, 2 * width, 2),
        Residual(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )
