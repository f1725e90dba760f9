"""What is explained in the benchmark: models with random weights, and a batch for each.

The networks of pictures have random weights, their BatchNorm random statistics; so have those of
texts. The MNIST networks are the ones that ship.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch

import torch
from architecture import Inputs, declare_torchvision_operators, roughen, settle
from torch import nn

import relprop

BOX = {"low": -3.0, "high": 3.0}
RULES = ("epsilon", "epsilon-plus-flat", "epsilon-gamma-box")
WORDS = 1000
CACHED = 128  # pictures at a time, whose values on many ways back fit into a CPU's cache
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Workload:
    """A model and a batch, recipes that explain it, and what they are meant to stay below.

    limits       recipe -> ratio, None for none      memory  peak, in units of the floor's
    first        seconds until the first explanation can be made
    all_classes  time of all classes in units of that of one
    cached       of all classes, so many samples at a time: their values fit into a CPU's cache
    compiled     the recipe that is compiled, too    slow    devices on which that takes minutes
    sizes        of batches, for data that is explained in parts: each method at its best
    peers        globs on names of the other libraries' methods
    convolves    the floor is measured in the other layout of pictures, too
    lowered      the dtype of the autocast that all methods run under
    devices      that it is meant for
    """

    name: str
    make: Callable[[], tuple[nn.Module, Inputs]]
    limits: Mapping[str, float | None]
    memory: float | None = None
    first: float | None = None
    all_classes: float | None = None
    cached: int | None = None
    compiled: str = "epsilon-plus-flat"
    slow: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    peers: tuple[str, ...] = ("*",)
    convolves: bool = False
    lowered: torch.dtype | None = None
    devices: tuple[str, ...] = DEVICES

    @property
    def recipes(self) -> tuple[str, ...]:
        """Names of presets."""
        return tuple(self.limits)

    def has(self, peer: str) -> bool:
        """Whether a method of another library takes part."""
        return any(fnmatch(peer, glob) for glob in self.peers)

    def build(self, device: str) -> tuple[nn.Module, Inputs]:
        """The model, in eval mode and frozen, and its batch."""
        declare_torchvision_operators()
        torch.manual_seed(0)
        model, x = self.make()
        if isinstance(x, Mapping):
            x = {name: tensor.to(device) for name, tensor in x.items()}
        else:
            x = x.to(device)
        return model.eval().requires_grad_(False).to(device), x

    def on(self, device: str) -> "Workload":
        """The same as it is measured there: limits are those of two cores of a CPU."""
        if device == "cpu":
            return self
        return replace(
            self,
            limits=dict.fromkeys(self.limits),
            memory=None,
            first=None,
            cached=None,
            sizes=tuple(10 * size for size in self.sizes),  # to fill what works on more at a time
        )


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

    def make() -> tuple[nn.Module, Inputs]:
        ink = 2 * torch.rand(batch, 1, 28, 28) - 1
        return relprop.load_model(name), ink.clamp(min=0)

    return make


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


FREE = limits(None, None, None)
WORKLOADS = [
    Workload(
        *("mnist-cnn, batch 256", digits("mnist-cnn", 256), FREE),
        all_classes=4,
        cached=CACHED,
        convolves=True,
    ),
    Workload(
        "mnist-dnn-500, batch 256",
        digits("mnist-dnn-500", 256),
        limits(1.15, 1.30, 1.30),
        all_classes=4,
    ),
    Workload(
        "mnist-dnn-300-100, batch 256",
        digits("mnist-dnn-300-100", 256),
        FREE,
        all_classes=4,
    ),
    Workload(
        "mnist-cnn, 10,000 digits",
        digits("mnist-cnn", 10_000),
        limits(1.15, 1.40, 1.45),
        1.2,
        sizes=(50, 100, 250, 500, 1000),
        peers=("Zennit epsilon-plus-flat", "autoLRP"),  # the others are in the first table
        convolves=True,
    ),
    Workload(
        *("VGG16, batch 4", pictures("vgg16", 4), limits(1.10, 1.50, 1.55), 1.2, 3),
        convolves=True,
    ),
    Workload(
        *("ResNet50, batch 4", pictures("resnet50", 4), limits(1.00, 1.50, 1.60), 1.2, 6),
        slow=("cpu",),
        convolves=True,
    ),
    Workload(
        "DenseNet121, batch 4", pictures("densenet121", 4), FREE, slow=DEVICES, convolves=True
    ),
    Workload(
        "ConvNeXt-T, batch 4",
        pictures("convnext_tiny", 4),
        {"auto": None},
        compiled="auto",
        slow=DEVICES,
        convolves=True,
    ),
    Workload(  # at two pictures, its limits are
        "ViT-B/16, batch 2",
        pictures("vit_b_16", 2),
        {"attnlrp": 1.0, "cp-lrp": 0.6},
        1.1,
        compiled="attnlrp",
        slow=("cpu",),
    ),
    Workload(
        "BERT, 4 layers",
        language("BertForSequenceClassification"),
        {"attnlrp": 1.05, "cp-lrp": None},
        1.1,
        compiled="attnlrp",
    ),
    Workload(
        "Llama, 4 layers",
        language("LlamaForSequenceClassification"),
        {"attnlrp": 1.05, "cp-lrp": None},
        1.1,
        compiled="attnlrp",
    ),
    Workload(
        "LSTM",
        lambda: (Reader(), torch.randint(0, WORDS, (32, 32))),
        {"auto": None},
        compiled="auto",
        slow=DEVICES,
    ),
    *(
        Workload(
            f"{name}, batch 64{', bfloat16' if lowered else ''}",
            pictures(name.lower(), 64),
            FREE,
            peers=("Zennit epsilon-plus-flat",),
            convolves=True,
            lowered=lowered,
            devices=("cuda",),
        )
        for name in ("VGG16", "ResNet50")
        for lowered in (None, torch.bfloat16)
    ),
]
