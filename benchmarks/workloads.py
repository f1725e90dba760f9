"""The workloads of the benchmark: models, and a batch for each.

Image and text models have random weights, and BatchNorm random statistics. The MNIST networks are
the shipped ones.
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
CACHED = 128  # pictures at a time whose activations, for many targets, fit into a CPU's cache
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Workload:
    """A model and a batch, the recipes that explain it, and the targets of the project.

    Attributes:
        name: Name in the tables.
        make: Builds the model and the batch.
        targets: Recipe -> time to stay below, in units of gradient x input; None for no target.
        memory: Peak memory to stay below, in the same units.
        first: Seconds to stay below until the first call.
        all_classes: Time for all classes to stay below, in units of that for one.
        cached: Samples at a time when all classes are explained.
        compiled: The recipe that is compiled, too.
        slow: Devices on which compiling takes minutes.
        sizes: Batch sizes to try, for data that is explained in parts.
        peers: Globs on the names of other libraries' methods.
        convolves: Whether gradient x input is measured in channels-last, too.
        lowered: Dtype of the autocast under which all methods run.
        devices: Devices that it is measured on.
    """

    name: str
    make: Callable[[], tuple[nn.Module, Inputs]]
    targets: Mapping[str, float | None]
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
        """Return the names of the presets."""
        return tuple(self.targets)

    def has(self, peer: str) -> bool:
        """Tell whether a method of another library takes part."""
        return any(fnmatch(peer, glob) for glob in self.peers)

    def build(self, device: str) -> tuple[nn.Module, Inputs]:
        """Build the model, in eval mode with frozen parameters, and its batch."""
        declare_torchvision_operators()
        torch.manual_seed(0)
        model, x = self.make()
        if isinstance(x, Mapping):
            x = {name: tensor.to(device) for name, tensor in x.items()}
        else:
            x = x.to(device)
        return model.eval().requires_grad_(False).to(device), x

    def on(self, device: str) -> "Workload":
        """Adapt to a device: targets are for two cores of a CPU."""
        if device == "cpu":
            return self
        return replace(
            self,
            targets=dict.fromkeys(self.targets),
            memory=None,
            first=None,
            cached=None,
            sizes=tuple(10 * size for size in self.sizes),  # to fill what works on more at a time
        )


def recipe(name: str) -> relprop.Recipe:
    """Return a preset, with the bounds of normalised pictures if it takes bounds."""
    return relprop.Recipe.preset(name, **(BOX if name.endswith("-box") else {}))


def targets(*ratios: float | None) -> dict[str, float | None]:
    """Assign targets to the three recipes for convolutional and dense networks."""
    return dict(zip(RULES, ratios, strict=True))


# ---- models --------------------------------------------------------------------------------------


def pictures(name: str, batch: int) -> Callable[[], tuple[nn.Module, Inputs]]:
    """Return the maker of a torchvision classifier, and pictures of noise."""

    def make() -> tuple[nn.Module, Inputs]:
        from torchvision import models

        model, x = getattr(models, name)().eval(), torch.randn(batch, 3, 224, 224)
        with torch.no_grad():
            roughen(model)
            settle(model, torch.randn(2, 3, 224, 224))
        return model, x

    return make


def digits(name: str, batch: int) -> Callable[[], tuple[nn.Module, Inputs]]:
    """Return the maker of a shipped network, and noise on a dark ground in place of digits."""

    def make() -> tuple[nn.Module, Inputs]:
        ink = 2 * torch.rand(batch, 1, 28, 28) - 1
        return relprop.load_model(name), ink.clamp(min=0)

    return make


def language(
    name: str, batch: int = 8, length: int = 128
) -> Callable[[], tuple[nn.Module, Inputs]]:
    """Return the maker of a language model of four layers, 256 wide, and unpadded texts."""

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


class TextClassifier(nn.Module):
    """An LSTM of two layers over token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 128)
        self.layer = nn.LSTM(128, 128, num_layers=2, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map token ids (batch, length) to scores (batch, classes)."""
        return self.head(self.layer(self.embedding(x))[0][:, -1])


FREE = targets(None, None, None)
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
        targets(1.15, 1.30, 1.30),
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
        targets(1.15, 1.40, 1.45),
        1.2,
        sizes=(50, 100, 250, 500, 1000),
        peers=("Zennit epsilon-plus-flat", "autoLRP"),  # the others are in the first table
        convolves=True,
    ),
    Workload(
        *("VGG16, batch 4", pictures("vgg16", 4), targets(1.10, 1.50, 1.55), 1.2, 3),
        convolves=True,
    ),
    Workload(
        *("ResNet50, batch 4", pictures("resnet50", 4), targets(1.00, 1.50, 1.60), 1.2, 6),
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
    Workload(  # its targets are for two pictures
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
        lambda: (TextClassifier(), torch.randint(0, WORDS, (32, 32))),
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
