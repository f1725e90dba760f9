"""Families of networks for pictures: what may be searched, and a default that is fixed in advance.

The defaults depend on the number and the size of the pictures, and on whether they may be mirrored.
Must not know how a network or a training is made.
"""

from collections.abc import Callable

from torch import nn

from .family import Choice, Facts, NetworkFamily, Range, Settings, Space, Value
from .picture_cnn import build_cnn, build_resnet
from .picture_convnext import build_convnext
from .picture_layers import PICTURE_ACTIVATIONS
from .picture_mlp import build_mlp

# Pictures that are seen in a training, each time it is seen counted; and the limits of the epochs.
_SEEN = 1_200_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 30, 150
# Samples from which on a batch has so many, and SGD's largest rate and weight decay for it. Of few
# samples a larger decay was better on validation, as in Brigato et al. 2021, "Tune it or don't use
# it: benchmarking data-efficient image classification".
_BATCHES = (
    (20_000, 256, 0.2, 5e-4),
    (4_000, 128, 0.2, 2e-3),
    (1_000, 64, 0.05, 5e-4),
    (0, 32, 0.03, 5e-4),
)


def _augmentation(facts: Facts) -> dict[str, Value]:
    """Return how much pictures are changed: those that may be mirrored, and signs such as digits.

    Signs are written with a slant, and larger or smaller; photographs show parts of things. Those
    of three channels are taken for coloured ones.
    """
    side = min(facts.shape[1:])
    sign: dict[str, Value]
    photo: dict[str, Value]
    sign = {"flip": False, "shift": side // 14, "rotate": 10.0, "zoom": 0.1, "cutout": 0}
    photo = {"flip": True, "shift": side // 8, "rotate": 0.0, "zoom": 0.0, "cutout": side // 4}
    colour = 0.4 if facts.shape[0] == 3 else 0.0
    return {**(photo if facts.mirrors else sign), "mirror": facts.mirrors, "colour": colour}


def _training(facts: Facts, optimiser: str) -> dict[str, Value]:
    _, batch, sgd_rate, sgd_decay = next(row for row in _BATCHES if facts.samples >= row[0])
    epochs = min(max(_SEEN // max(facts.samples, 1), _FEWEST_EPOCHS), _MOST_EPOCHS)
    adamw: dict[str, Value]
    sgd: dict[str, Value]
    adamw = {"optimiser": "adamw", "rate": 2e-3, "decay": 5e-2}
    sgd = {"optimiser": "sgd", "rate": sgd_rate, "decay": sgd_decay}
    return {
        **(sgd if optimiser == "sgd" else adamw),
        **{"batch": batch, "epochs": epochs, "average": 0.99, "members": 1, "mixup": 0.0},
        "smoothing": 0.0 if facts.task == "value" else 0.1,
        **_augmentation(facts),
    }


def _space(facts: Facts, optimiser: str) -> dict[str, Choice | Range]:
    """Return what may be searched in all families."""
    side = min(facts.shape[1:])
    rates = Range(0.02, 0.5, log=True) if optimiser == "sgd" else Range(3e-4, 1e-2, log=True)
    decays = Range(1e-4, 5e-3, log=True) if optimiser == "sgd" else Range(1e-3, 0.3, log=True)
    return {
        **{"rate": rates, "decay": decays, "dropout": Choice((0.0, 0.1, 0.2, 0.4))},
        **{"smoothing": Choice((0.0, 0.05, 0.1, 0.2)), "mixup": Choice((0.0, 0.2, 0.4))},
        **{"flip": Choice((False, True)), "mirror": Choice((False, True))},
        **{"shift": Choice((0, side // 14, side // 8)), "cutout": Choice((0, side // 4))},
        **{"rotate": Choice((0.0, 10.0)), "zoom": Choice((0.0, 0.1))},
        "colour": Choice((0.0, 0.2, 0.4)),
        "activation": Choice(tuple(PICTURE_ACTIVATIONS)),
    }


def _family(
    name: str,
    build: Callable[[Settings, Facts], nn.Module],
    optimiser: str,
    default: Callable[[Facts], dict[str, Value]],
    space: Space,
) -> NetworkFamily:
    """Put a family together: its own settings, and those that all share."""
    return NetworkFamily(
        name,
        "picture",
        build,
        lambda facts: {**_space(facts, optimiser), **space},
        lambda facts: {**_training(facts, optimiser), **default(facts)},
    )


def _convolutional(facts: Facts) -> dict[str, Value]:
    return {
        **{"width": 32, "depth": 1, "normalisation": "batch", "activation": "relu"},
        **{"pooling": "mean", "dropout": 0.0},
    }


def _convnext(facts: Facts) -> dict[str, Value]:
    return {
        **{"width": 48, "depth": 2, "kernel": 5, "activation": "gelu"},
        **{"pooling": "mean", "dropout": 0.1},
    }


def _mlp(facts: Facts) -> dict[str, Value]:
    return {
        **{"width": 512, "depth": 2, "normalisation": "batch", "activation": "relu"},
        "dropout": 0.2,
    }


_CONVOLUTIONS: Space = {
    "width": Choice((16, 24, 32, 48, 64)),
    "depth": Choice((1, 2, 3)),
    "normalisation": Choice(("batch", "group")),
    "pooling": Choice(("mean", "max")),
}

PICTURE_FAMILIES = (
    _family("resnet", build_resnet, "sgd", _convolutional, _CONVOLUTIONS),
    _family(
        "cnn", build_cnn, "sgd", lambda facts: {**_convolutional(facts), "depth": 2}, _CONVOLUTIONS
    ),
    _family(
        "convnext",
        build_convnext,
        "adamw",
        _convnext,
        {
            "width": Choice((32, 48, 64, 96)),
            "depth": Choice((1, 2, 3)),
            "kernel": Choice((3, 5, 7)),
            "pooling": Choice(("mean", "max")),
        },
    ),
    _family(
        "mlp",
        build_mlp,
        "adamw",
        _mlp,
        {
            "width": Choice((128, 256, 512, 1024)),
            "depth": Choice((1, 2, 3)),
            "normalisation": Choice(("batch", "none")),
        },
    ),
)
