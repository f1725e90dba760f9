"""Models as lists of layers that fit into a JSON file, and the lists of the models trained here.

Takes a list and gives an nn.Sequential, and the reverse. Only the layer types of LAYERS are built,
so that a list from a file cannot run code. Must not know files and weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import InputError, first_line
from .card import LayerSpec

# Layer types that may be built: the class, and its required settings. All others are the defaults.
LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "flatten": (nn.Flatten, ()),
    "linear": (nn.Linear, ("in_features", "out_features")),
    "conv2d": (nn.Conv2d, ("in_channels", "out_channels", "kernel_size", "stride", "padding")),
    "max-pool2d": (nn.MaxPool2d, ("kernel_size", "stride")),
    "avg-pool2d": (nn.AvgPool2d, ("kernel_size", "stride")),
    "relu": (nn.ReLU, ()),
    "dropout": (nn.Dropout, ("p",)),
}


def _linear(inputs: int, outputs: int) -> LayerSpec:
    return {"layer": "linear", "in_features": inputs, "out_features": outputs}


def _conv3x3(inputs: int, outputs: int) -> LayerSpec:
    channels = {"in_channels": inputs, "out_channels": outputs}
    return {"layer": "conv2d", **channels, "kernel_size": 3, "stride": 1, "padding": 1}


_FLATTEN: LayerSpec = {"layer": "flatten"}
_RELU: LayerSpec = {"layer": "relu"}
_DROPOUT: LayerSpec = {"layer": "dropout", "p": 0.5}
_MAX_POOL: LayerSpec = {"layer": "max-pool2d", "kernel_size": 2, "stride": 2}

_DNN_500 = (_FLATTEN, _linear(784, 500), _RELU, _linear(500, 10))
_DNN_300_100 = (
    *(_FLATTEN, _linear(784, 300), _RELU, _linear(300, 100), _RELU),
    _linear(100, 10),
)
_CNN = (
    *(_conv3x3(1, 16), _RELU, _conv3x3(16, 32), _RELU, _MAX_POOL),  # (n, 32, 14, 14)
    *(_conv3x3(32, 32), _RELU, _conv3x3(32, 64), _RELU, _MAX_POOL),  # (n, 64, 7, 7)
    *(_FLATTEN, _linear(3136, 128), _RELU, _DROPOUT, _linear(128, 10)),
)
ARCHITECTURES: dict[str, tuple[LayerSpec, ...]] = {
    "mnist-dnn-500": _DNN_500,
    "mnist-dnn-300-100": _DNN_300_100,
    "mnist-cnn": _CNN,
    "fashion-dnn-500": _DNN_500,
    "fashion-dnn-300-100": _DNN_300_100,
    "fashion-cnn": _CNN,
}


def build(architecture: Sequence[LayerSpec], device: str = "cpu") -> nn.Sequential:
    """Build an untrained model; on the "meta" device its weights have shapes and no values.

    Raises:
        InputError: A layer is not in LAYERS, or has wrong settings.
    """
    with torch.device(device):
        layers = [_build_layer(index, layer) for index, layer in enumerate(architecture)]
        return nn.Sequential(*layers)


def describe(model: nn.Module) -> tuple[LayerSpec, ...]:
    """List the layers of an nn.Sequential; `build` is the inverse.

    Raises:
        InputError: A layer, or a setting of one, is not in LAYERS.
    """
    if type(model) is not nn.Sequential or len(model) == 0:
        raise _not_describable(f"it is a {type(model).__name__}")
    layers = tuple(_describe_layer(index, module) for index, module in enumerate(model))
    for index, (rebuilt, module) in enumerate(zip(build(layers, "meta"), model, strict=True)):
        if repr(rebuilt) != repr(module):  # repr shows every setting that is not the default
            raise _not_describable(f"layer {index} is {module!r}")
    return layers


def _build_layer(index: int, layer: LayerSpec) -> nn.Module:
    kind = layer.get("layer") if isinstance(layer, Mapping) else None
    module, settings = LAYERS.get(str(kind), (None, ()))
    if module is None or {"layer", *settings} != layer.keys():
        raise InputError(
            f"layer {index} of the architecture is {layer!r}",
            "; ".join(", ".join((name, *keys)) for name, (_, keys) in LAYERS.items()),
            "give one of these layers with all its settings",
        )
    try:
        return module(**{name: layer[name] for name in settings})
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"layer {index} of the architecture is {str(dict(layer))[:200]}: {first_line(error)}",
            f"settings that torch.nn.{module.__name__} accepts",
            "correct the architecture",
        ) from error


def _describe_layer(index: int, module: nn.Module) -> LayerSpec:
    for name, (layer_type, settings) in LAYERS.items():
        if type(module) is layer_type:
            values = {setting: _as_json(getattr(module, setting)) for setting in settings}
            return {"layer": name, **values}
    raise _not_describable(f"layer {index} is {module!r}")


def _as_json(setting: Any) -> Any:
    """Return a setting as JSON would: a list where torch has a tuple."""
    return list(setting) if isinstance(setting, tuple) else setting


def _not_describable(problem: str) -> InputError:
    return InputError(
        f"this model cannot be saved as a list of layers: {problem}",
        f"an nn.Sequential of {', '.join(LAYERS)}, with the settings that LAYERS names",
        "keep such a model in your own code and save only its state_dict",
    )
