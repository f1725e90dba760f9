"""What is explained in the benchmark: models with random weights, and a batch for each.

The networks of pictures have random weights, their BatchNorm random statistics; so have those of
texts. The MNIST networks are the ones that ship.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from architecture import Inputs, declare_torchvision_operators, roughen, settle
from torch import nn

import relprop

BOX = {"low": -3.0, "high": 3.0}
RULES = ("epsilon", "epsilon-plus-flat", "epsilon-gamma-box")
WORDS = 1000


@dataclass(frozen=True)
class Workload:
    """A model and a batch, recipes that explain it, and the ratio each is meant to stay below."""

    name: str
    make: Callable[[], tuple[nn.Module, Inputs]]
    limits: Mapping[str, float | None] = field(default_factory=dict)
    memory: float | None = None

    @property
    def recipes(self) -> tuple[str, ...]:
        """Names of presets."""
        return tuple(self.limits)

    def build(self) -> tuple[nn.Module, Inputs]:
        """The model, in eval mode and frozen, and its batch."""
        declare_torchvision_operators()
        torch.manual_seed(0)
        model, x = self.make()
        return model.eval().requires_grad_(False), x


def recipe(name: str) -> relprop.Recipe:
    """The preset, with the bounds of normalised pictures where it takes some."""
    return relprop.Recipe.preset(name, **(BOX if name.endswith("-box") else {}))


def limits(*ratios: float | None) -> dict[str, float | None]:
    """Of the three recipes for convolutional and dense networks."""
    return dict(zip(RULES, ratios, strict=True))


# ---- models --------------------------------------------------------------------------------------


def pictures(name: str, batch: int) -> Callable[[], tuple[nn.Module, Inputs]]:
    """A classifier of torchvision as published, and pictures of noise."""

    def make() -> tuple[nn.Module, Inputs]:
        from torchvision import models

        model, x = getattr(models, name)().eval(), torch.randn(batch, 3, 224, 224)
        with torch.no_grad():
            roughen(model)
            settle(model, torch.randn(2, 3, 224, 224))
        return model, x

    return make


def digits(name: str, batch: int) -> Callable[[], tuple[nn.Module, Inputs]]:
    """A shipped network, and noise on a dark ground in the place of digits."""
    ink = 2 * torch.rand(batch, 1, 28, 28) - 1
    return lambda: (relprop.load_model(name), ink.clamp(min=0))


def language(
    name: str, batch: int = 8, length: int = 128
) -> Callable[[], tuple[nn.Module, Inputs]]:
    """Four layers of a language model of transformers, 256 wide, and texts without padding."""

    def make() -> tuple[nn.Module, Inputs]:
        import transformers

        kind = getattr(transformers, name)
        config = kind.config_class(
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=8,
            intermediate_size=1024,
            vocab_size=WORDS,
            pad_token_id=0,
            initializer_range=0.1,
            num_labels=10,
            use_cache=False,
        )
        ids = torch.randint(3, WORDS, (batch, length))
        return kind(config), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    return make


class Reader(nn.Module):
    """An LSTM of two layers over texts."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 128)
        self.layer = nn.LSTM(128, 128, num_layers=2, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Texts (batch, length) -> scores (batch, classes)."""
        return self.head(self.layer(self.embedding(x))[0][:, -1])


WORKLOADS = [
    Workload("VGG16, batch 4", pictures("vgg16", 4), limits(1.10, 1.50, 1.55), 1.2),
    Workload("ResNet50, batch 4", pictures("resnet50", 4), limits(1.00, 1.50, 1.60), 1.2),
    Workload("DenseNet121, batch 4", pictures("densenet121", 4), limits(None, None, None)),
    Workload("mnist-cnn, batch 256", digits("mnist-cnn", 256), limits(1.15, 1.40, 1.45), 1.2),
    Workload("mnist-dnn-500, batch 256", digits("mnist-dnn-500", 256), limits(1.15, 1.30, 1.30)),
    Workload("ConvNeXt-T, batch 4", pictures("convnext_tiny", 4), {"auto": None}),
    Workload("ViT-B/16, batch 2", pictures("vit_b_16", 2), {"attnlrp": 1.0, "cp-lrp": 0.6}, 1.1),
    Workload(
        "BERT, 4 layers",
        language("BertForSequenceClassification"),
        {"attnlrp": 1.05, "cp-lrp": None},
        1.1,
    ),
    Workload(
        "Llama, 4 layers",
        language("LlamaForSequenceClassification"),
        {"attnlrp": 1.05, "cp-lrp": None},
        1.1,
    ),
    Workload("LSTM", lambda: (Reader(), torch.randint(0, WORDS, (32, 32))), {"auto": None}),
]
