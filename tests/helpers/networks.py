"""Small networks that the tests share: narrow, with the layers of real ones and random weights.

Biases are as large as the sums that they are added to: the near-zero biases of a fresh network
would hide a rule that mistreats the bias.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and BatchNorm statistic of model at random; return it in eval mode."""
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            if not value.is_floating_point():
                continue
            drawn = torch.randn(value.shape, generator=gen, dtype=torch.float64, device="cpu")
            if value.ndim > 1:
                drawn *= (2 / value[0].numel()) ** 0.5  # keeps the size of values through ReLUs
            elif name.endswith("running_var"):
                drawn = 0.5 + drawn.abs()
            elif name.endswith("weight"):  # BatchNorm's scale, of either sign
                drawn = drawn.sign() * (0.5 + drawn.abs())
            else:
                drawn *= 0.5
            value.copy_(drawn)
    return model.eval()


def signed(*shape: int, seed: int = 1) -> Tensor:
    """Draw a float64 input of either sign."""
    return drawn(torch.randn, shape, seed)


def pixels(*shape: int, seed: int = 1) -> Tensor:
    """Draw a float64 input in [0, 1], a third of it exactly 0, like the background of a digit."""
    return (1.5 * drawn(torch.rand, shape, seed) - 0.5).clamp(min=0)


def drawn(draw: Callable[..., Tensor], shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw float64 numbers that are the same on every device."""
    gen = torch.Generator().manual_seed(seed)
    x = draw(shape, generator=gen, dtype=torch.float64, device="cpu")
    return x.to(torch.get_default_device())


class Applied(nn.Module):
    """A function of a linear layer's result, (batch, 6) to (batch, 4)."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(6, 4), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.linear(x))


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return x + self.body(x)


class Concat(nn.Module):
    """The outputs of several branches, concatenated in dimension 1."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """(n, sum of the branches' channels, ...)."""
        return torch.cat([branch(x) for branch in self.branches], 1)


# A number is a convolution's output channels (for width 64), "pool" halves height and width.
_VGG16 = (64, 64, "pool", 128, 128, "pool", *(3 * (256,)), "pool", *(3 * (512,)), "pool")
_VGG16 = (*_VGG16, *(3 * (512,)), "pool")


def vgg16(width: int = 64, size: int = 224, classes: int = 1000, norm: bool = False) -> nn.Module:
    """VGG16 for size x size images (size a multiple of 32); width 64 is the real one.

    norm    a BatchNorm2d after each convolution
    """
    layers: list[nn.Module] = []
    channels = 3
    for entry in _VGG16:
        if entry == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        out = entry * width // 64
        layers.append(nn.Conv2d(channels, out, 3, padding=1))
        layers += [nn.BatchNorm2d(out)] * norm + [nn.ReLU()]
        channels = out
    side, hidden = size // 32, 4096 * width // 64
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(side),
        nn.Flatten(),
        *(nn.Linear(channels * side * side, hidden), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()),
        nn.Linear(hidden, classes),
    )


def dense(*widths: int) -> nn.Module:
    """Linear layers of these widths with ReLU between, for (n, 1, 28, 28) or (n, widths[0])."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def small_cnn(
    channels: int = 2, classes: int = 4, activation: type[nn.Module] = nn.ReLU
) -> nn.Module:
    """Two convolutions, max and average pooling, two linear layers, for (n, channels, 12, 12)."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 4, 3, padding=1), activation(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3), activation(), nn.AvgPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(24, 8), activation(), nn.Dropout()),
        nn.Linear(8, classes),
    )


def mnist_cnn() -> nn.Module:
    """Four convolutions and two linear layers, for (n, 1, 28, 28)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10)),
    )


class Deep(nn.Module):
    """`depth` convolutions with ReLU, and a head, for (n, 1, 8, 8)."""

    def __init__(self, depth: int = 3, width: int = 8) -> None:
        super().__init__()
        sizes = [1] + [width] * depth
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sizes))
        self.head = nn.Linear(width * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x.flatten(1))
