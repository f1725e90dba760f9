"""A model as a list of layers that may be written down, and the lists of those trained here.

Takes a list, gives an nn.Sequential, and the other way round. Only the layers of LAYERS can be
built, so that a list from a file can run nothing. Must not know of files and weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import InputError

Layer = Mapping[str, Any]  # {"layer": a name of LAYERS, and the settings listed there}

# What may be built: the class, and the settings that must be given.
LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "flatten": (nn.Flatten, ()),
    "linear": (nn.Linear, ("in_features", "out_features")),
    "conv2d": (nn.Conv2d, ("in_channels", "out_channels", "kernel_size", "stride", "padding")),
    "max-pool2d": (nn.MaxPool2d, ("kernel_size", "stride")),
    "avg-pool2d": (nn.AvgPool2d, ("kernel_size", "stride")),
    "relu": (nn.ReLU, ()),
    "dropout": (nn.Dropout, ("p",)),
}


def _linear(inputs: int, outputs: int) -> Layer:
    return {"layer": "linear", "in_features": inputs, "out_features": outputs}


def _conv3x3(inputs: int, outputs: int) -> Layer:
    channels = {"in_channels": inputs, "out_channels": outputs}
    return {"layer": "conv2d", **channels, "kernel_size": 3, "stride": 1, "padding": 1}


_FLATTEN: Layer = {"layer": "flatten"}
_RELU: Layer = {"layer": "relu"}
_DROPOUT: Layer = {"layer": "dropout", "p": 0.5}
_HALVE: Layer = {"layer": "max-pool2d", "kernel_size": 2, "stride": 2}

_DNN_500 = (_FLATTEN, _linear(784, 500), _RELU, _linear(500, 10))
_DNN_300_100 = (
    *(_FLATTEN, _linear(784, 300), _RELU, _linear(300, 100), _RELU),
    _linear(100, 10),
)
_CNN = (
    *(_conv3x3(1, 16), _RELU, _conv3x3(16, 32), _RELU, _HALVE),  # (n, 32, 14, 14)
    *(_conv3x3(32, 32), _RELU, _conv3x3(32, 64), _RELU, _HALVE),  # (n, 64, 7, 7)
    *(_FLATTEN, _linear(3136, 128), _RELU, _DROPOUT, _linear(128, 10)),
)
ARCHITECTURES: dict[str, tuple[Layer, ...]] = {
    "mnist-dnn-500": _DNN_500,
    "mnist-dnn-300-100": _DNN_300_100,
    "mnist-cnn": _CNN,
    "fashion-dnn-500": _DNN_500,
    "fashion-dnn-300-100": _DNN_300_100,
    "fashion-cnn": _CNN,
}


def build(architecture: Sequence[Layer], device: str = "cpu") -> nn.Sequential:
    """An untrained model of these layers. On the "meta" device it has shapes and no values.

    Raises InputError for a layer that is not in LAYERS or is given wrong settings.
    """
    with torch.device(device):
        return nn.Sequential(*[_layer(number, layer) for number, layer in enumerate(architecture)])


def describe(model: nn.Module) -> tuple[Layer, ...]:
    """The layers of an nn.Sequential as a list; `build` is the inverse.

    Raises InputError for a model that holds a layer, or a setting of one, that LAYERS lacks.
    """
    if type(model) is not nn.Sequential or len(model) == 0:
        raise _not_describable(f"it is a {type(model).__name__}")
    layers = tuple(_described(number, module) for number, module in enumerate(model))
    for number, (rebuilt, module) in enumerate(zip(build(layers, "meta"), model, strict=True)):
        if repr(rebuilt) != repr(module):  # it tells every setting that is not the default
            raise _not_describable(f"layer {number} is {module!r}")
    return layers


def _layer(number: int, layer: Layer) -> nn.Module:
    """Layer `number` of an architecture."""
    kind = layer.get("layer") if isinstance(layer, Mapping) else None
    module, settings = LAYERS.get(str(kind), (None, ()))
    if module is None or {"layer", *settings} != layer.keys():
        raise InputError(
            f"layer {number} of the architecture is {layer!r}",
            "; ".join(", ".join((name, *keys)) for name, (_, keys) in LAYERS.items()),
            "give one of these layers with all its settings",
        )
    try:
        return module(**{name: layer[name] for name in settings})
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"layer {number} of the architecture is {dict(layer)}: {error}",
            f"settings that torch.nn.{module.__name__} takes",
            "correct the architecture",
        ) from error


def _described(number: int, module: nn.Module) -> Layer:
    for kind, (known, settings) in LAYERS.items():
        if type(module) is known:
            return {"layer": kind, **{name: _plain(getattr(module, name)) for name in settings}}
    raise _not_describable(f"layer {number} is {module!r}")


def _plain(setting: Any) -> Any:
    """A setting as JSON gives it back: a list where torch has a tuple."""
    return list(setting) if isinstance(setting, tuple) else setting


def _not_describable(what: str) -> InputError:
    return InputError(
        f"this model cannot be written down as a list of layers: {what}",
        f"an nn.Sequential of {', '.join(LAYERS)}, with the settings that LAYERS names",
        "keep such a model in your own code and save only its state_dict",
    )
