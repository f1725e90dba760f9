"""The networks on which relprop is compared with its peers, and their inputs: random, with a seed.

Biases are as large as the sums that they are added to, so that a rule that treats them wrongly
shows.
"""

from collections.abc import Callable
from functools import cache

import torch
from architecture import declare_torchvision_operators
from torch import Tensor, nn

declare_torchvision_operators()
from torchvision.models import resnet18, vgg16  # noqa: E402

CLASSES = 10
FEATURES = 20
ModelAndInput = tuple[nn.Module, Tensor]


def draw(shape: torch.Size | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw normal numbers, in float64 so that both dtypes get the same."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw all parameters and buffers of a model again; return it in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            continue
        values = draw(value.shape, generator)
        if value.ndim > 1:
            values *= (2 / value[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = 0.5 + values.abs() / 2
        else:
            values *= 0.5
        value.copy_(values)
    return model.eval()


def pictures(*shape: int) -> Tensor:
    """Draw pictures, or vectors, of both signs."""
    return draw(shape, torch.Generator().manual_seed(1))


def pixels(*shape: int) -> Tensor:
    """Draw pictures without negative values, a third of them black."""
    values = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (1.5 * values - 0.5).clamp(min=0)


def separate(model: nn.Module) -> nn.Module:
    """Let ReLUs return a new tensor, as Captum needs."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def without_biases(model: nn.Module) -> nn.Module:
    """Remove the biases."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.bias = None
    return model


def vgg() -> ModelAndInput:
    """Build torchvision's VGG16, for two pictures of 64 x 64."""
    return separate(randomise(vgg16(num_classes=CLASSES))), pictures(2, 3, 64, 64)


def plain_vgg() -> ModelAndInput:
    """Build VGG16 without biases and without its average pool, for non-negative pictures."""
    model = vgg16(num_classes=CLASSES)
    model.avgpool, model.classifier[0] = nn.Dropout(), nn.Linear(512 * 2 * 2, 4096)
    return separate(randomise(without_biases(model))), pixels(2, 3, 64, 64)


def plain_vgg_biased() -> ModelAndInput:
    """Build the same with biases."""
    model = vgg16(num_classes=CLASSES)
    model.avgpool, model.classifier[0] = nn.Dropout(), nn.Linear(512 * 2 * 2, 4096)
    return separate(randomise(model)), pixels(2, 3, 64, 64)


def resnet(eps: float = 0.0) -> ModelAndInput:
    """Build torchvision's ResNet18; eps is that of its BatchNorms."""
    model = randomise(resnet18(num_classes=CLASSES))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return model, pictures(2, 3, 64, 64)


class Exp(nn.Module):
    """The exponential function as an activation, which torch has no module for."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute e^x, entry by entry."""
        return x.exp()


def dense(activation: type[nn.Module]) -> ModelAndInput:
    """Build two linear layers with an activation between them, for three vectors."""
    model = nn.Sequential(nn.Linear(FEATURES, 16), activation(), nn.Linear(16, CLASSES))
    return randomise(model), pictures(3, FEATURES)


BUILDERS: dict[str, Callable[[], ModelAndInput]] = {
    "VGG16": vgg,
    "VGG16 without biases and average pool": plain_vgg,
    "VGG16 without average pool": plain_vgg_biased,
    "ResNet18": resnet,
    "ResNet18, BatchNorm's eps 1e-5": lambda: resnet(1e-5),
    "dense, sigmoid": lambda: dense(nn.Sigmoid),
    "dense, exp": lambda: dense(Exp),
}


@cache
def network(name: str, dtype: torch.dtype) -> ModelAndInput:
    """Build a network by name, and its input."""
    model, x = BUILDERS[name]()
    return model.to(dtype), x.to(dtype)
