"""The models of a comparison: shipped and saved ones, and bundles that were fitted to such images.

Takes names and paths. Gives models of images (n, 1, 28, 28) from 0 to 1. Must not know methods.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..bundles.bundle import Bundle, open_content
from ..bundles.read import is_bundle, read_bundle
from ..errors import InputError
from ..models.checkpoint import load_model, model_card

_SHAPE, _CLASSES = (1, 28, 28), 10


@dataclass(frozen=True)
class ComparedModel:
    """A model that is compared.

    Attributes:
        module: Maps images (n, 1, 28, 28) to scores (n, 10).
        family: Data set that it classifies; "" where it does not say.
        hash: Of its weights and layers.
    """

    module: nn.Module
    family: str
    hash: str


class Normalised(nn.Module):
    """A model of normalised images, for images from 0 to 1.

    Args:
        model: The model.
        mean: What is subtracted.
        std: What is divided by.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores of images, (n, classes)."""
        scores: Tensor = self.model((x - self.mean) / self.std)
        return scores


def load_compared(name: str) -> ComparedModel:
    """Load a model by its name, its .safetensors file, or the folder of its bundle.

    Raises:
        InputError: There is no such model, or a bundle is of other data.
        FileError: A file is missing or damaged.
    """
    if is_bundle(Path(name)):
        return _bundled(name)
    card = model_card(name)
    # models with max and average pooling may have the same weights
    digest = hashlib.sha256(f"{card.sha256} {card.architecture}".encode()).hexdigest()
    return ComparedModel(load_model(name), card.family, digest)


def _bundled(name: str) -> ComparedModel:
    content = read_bundle(name)
    bundle = open_content(content)
    _check(name, bundle)
    preparation: Any = bundle.preparation
    module = Normalised(bundle.model, preparation.mean[0], preparation.std[0]).eval()
    digest = hashlib.sha256()
    for member in content.members:
        digest.update(f"{member.family} {sorted(member.settings.items())}".encode())
        for tensor in member.weights.values():
            digest.update(tensor.numpy().tobytes())
    return ComparedModel(module, "", digest.hexdigest())


def _check(name: str, bundle: Bundle) -> None:
    """Raise InputError unless a bundle classifies images as those of MNIST are."""
    shape, classes = tuple(bundle.preparation.shape), len(bundle.classes)
    if bundle.modality != "picture" or shape != _SHAPE or bundle.task != "classes":
        given = f"{name}, a bundle of {bundle.modality} data of shape {shape}"
    elif classes != _CLASSES:
        given = f"{name}, a bundle of {classes} classes"
    else:
        return
    raise InputError(
        given,
        "pictures of 28 x 28 grey pixels in 10 classes, as those of MNIST and Fashion-MNIST",
        f"for other data write relprop compare-models DATA --models {name}",
    )
