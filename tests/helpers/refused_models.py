"""Small models that are refused, or that take an input that has to be written otherwise."""

import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Function(nn.Module):
    """A model whose forward is a function of itself and its inputs, between named layers."""

    def __init__(self, function: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.eval()

    def forward(self, *x: Tensor) -> Any:
        return self.function(self, *x)


class Two(nn.Module):
    """The sum of two inputs' scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.layer(left) + 2 * self.layer(right)


class Positions(nn.Module):
    """Adds as many rows of a table of 20 as there are samples, in place of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("table", torch.linspace(-1, 1, 60).reshape(20, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.table[: x.shape[0]]


class Quantised(Tensor):
    """A tensor of small integers and a scale, as libraries for quantised models have."""

    @staticmethod
    def __new__(cls, numbers: Tensor, scale: Tensor) -> Tensor:
        return Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=scale.dtype)

    def __init__(self, numbers: Tensor, scale: Tensor) -> None:
        self.numbers, self.scale = numbers, scale

    def __tensor_flatten__(self):
        return ["numbers", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, parts, context, size, stride):
        return cls(parts["numbers"], parts["scale"])

    def dequantize(self) -> Tensor:
        return self.numbers.to(self.scale.dtype) * self.scale

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        if function in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return cls(function(args[0].numbers), function(args[0].scale))
        plain = [a.dequantize() if isinstance(a, cls) else a for a in args]
        return function(*plain, **(kwargs or {}))


def quantise(layer: nn.Linear) -> nn.Linear:
    """Put small integers in the place of a layer's weight."""
    weight = layer.weight.detach()
    scale = weight.abs().amax() / 127
    numbers = (weight / scale).round().to(torch.int8)
    layer.weight = nn.Parameter(Quantised(numbers, scale.clone()), requires_grad=False)
    return layer


def patched(layer: nn.Module) -> nn.Module:
    """Replace a layer's forward by the function of another package, as the package lxt does."""

    def forward(self, x: Tensor) -> Tensor:
        return x.detach() * 0.5 + x * 0.5

    forward.__module__ = "lxt.efficient.patches"
    kind = type(type(layer).__name__, (type(layer),), {"forward": forward})
    layer.__class__ = kind
    return layer


def recurrent(batch_first: bool) -> nn.Module:
    """An LSTM and a head, on (batch, length, 4)."""
    layer = nn.LSTM(4, 3, batch_first=batch_first)
    return Function(lambda m, x: m.head(m.lstm(x)[0][:, -1]), lstm=layer, head=nn.Linear(3, 3))


def encoder(batch_first: bool) -> nn.Module:
    """A transformer's encoder and a head, on (batch, length, 4)."""
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=batch_first)
    layers = {
        "encoder": nn.TransformerEncoder(layer, 1, enable_nested_tensor=False),
        "head": nn.Linear(4, 3),
    }
    return Function(lambda m, x: m.head(m.encoder(x).mean(1)), **layers)


def convolutional(channels: int) -> nn.Module:
    """A convolution and a head, on pictures (batch, channels, height, width)."""
    pool = (nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return nn.Sequential(nn.Conv2d(channels, 2, 3), *pool, nn.Linear(8, 3)).eval()


def traced(model: nn.Module) -> nn.Module:
    """What torch.jit makes of a model on (batch, 4)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is about to retire
        return torch.jit.trace(model, torch.ones(2, 4))


def between(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """A function between two layers, on (batch, 4)."""
    layers = {"first": nn.Linear(4, 4), "last": nn.Linear(4, 3)}
    return Function(lambda m, x: m.last(function(m.first(x))), **layers)


def tied() -> nn.Module:
    """Two layers with one weight."""
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    other.weight = one.weight
    return nn.Sequential(one, nn.ReLU(), other, nn.ReLU(), nn.Linear(4, 3)).eval()


def models() -> types.SimpleNamespace:
    """Return one of each, freshly made."""
    dense = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    pool = nn.FractionalMaxPool2d(2, output_size=3)
    return types.SimpleNamespace(
        dense=dense,
        grey=convolutional(1),
        colour=convolutional(3),
        two=Two().eval(),
        text=nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 3)).eval(),
        length_first=recurrent(batch_first=False),
        encoder=encoder(batch_first=False),
        recurrent=recurrent(batch_first=True),
        branches=between(lambda h: h if h.sum() > 0 else -h),
        looks_up=between(lambda h: h[:, h[0].sort().indices.tolist()]),
        positions=Positions().eval(),
        angle=between(lambda h: torch.atan2(h, h + 1)),
        one_unit=nn.Linear(4, 1).eval(),
        sequence=nn.Linear(4, 5).eval(),
        mixing=between(lambda h: h - h.mean(0)),
        outputs=Function(lambda m, x: {"a": m.layer(x), "b": x}, layer=nn.Linear(4, 3)),
        training=nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 3)).train(),
        pooled=nn.Sequential(nn.Conv2d(1, 2, 3), pool, nn.Flatten(), nn.Linear(18, 3)).eval(),
        projected=nn.Sequential(nn.LSTM(4, 5, proj_size=3, batch_first=True)).eval(),
        quantised=nn.Sequential(quantise(nn.Linear(4, 4)), nn.Softplus(), nn.Linear(4, 3)).eval(),
        traced=traced(dense),
        tied=tied(),
        patched=nn.Sequential(nn.Linear(4, 4), patched(nn.ReLU()), nn.Linear(4, 3)).eval(),
    )
