"""Normalisation with its statistics held constant against reference_attention.py, in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import reference_attention as ref
from helpers.reference_maps import (
    ATTN,
    LENGTH,
    ROWS,
    WIDTH,
    Net,
    Reference,
    check,
    linear,
    tokens,
    two_layer_net,
)
from torch import Tensor, nn
from torch.nn import functional as F

import relprop


def normed(
    centred: bool, eps: float, over: list[np.ndarray] = ROWS, factor: float = 1.0
) -> Reference:
    """a(x) normalised over groups, with weight and bias of the layer `norm` if there is one."""

    def reference(net: Net, x: ref.Value, constant: bool) -> ref.Operand:
        layer = getattr(net, "norm", None)
        channels = isinstance(layer, (nn.GroupNorm, nn.InstanceNorm1d))
        parts = []
        for name, default in (("weight", 1.0), ("bias", 0.0)):
            given = getattr(layer, name, None)
            part = np.asarray(default) if given is None else ref.data(given)
            parts.append(part[:, None] if channels and given is not None else part)
        weight, bias = parts
        a = linear(x, net.a)
        return ref.normalise(a, over, weight * factor, bias, centred=centred, eps=eps)

    return reference


def through(m: Net, x: Tensor) -> Tensor:
    return m.norm(m.a(x))


def rms_by_hand(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    return a * torch.rsqrt(a.pow(2).mean(-1, keepdim=True) + 1e-3)


def layer_norm_by_hand(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    middle = a - a.mean(-1, keepdim=True)
    return middle / torch.sqrt(a.var(-1, keepdim=True, unbiased=False) + 1e-3)


def over_norm(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    return a / a.norm(dim=-1, keepdim=True)


def normalised(m: Net, x: Tensor) -> Tensor:
    return F.normalize(m.a(x), dim=-1)


PAIRS = [np.arange(2 * WIDTH), np.arange(2 * WIDTH) + 2 * WIDTH]
LAYER, RMS, GROUP = nn.LayerNorm(WIDTH), nn.RMSNorm(WIDTH, eps=1e-3), nn.GroupNorm(2, LENGTH)
INSTANCE = nn.InstanceNorm1d(LENGTH, affine=True)
NO_BIAS = nn.LayerNorm(WIDTH, bias=False)
PLAIN = nn.LayerNorm(WIDTH, elementwise_affine=False)
LENGTHS = WIDTH**-0.5  # x / |x| is x / (root mean square), times this
NORMS: dict[str, tuple[Callable[..., Tensor], nn.Module | None, Reference]] = {
    "LayerNorm": (through, LAYER, normed(True, 1e-5)),
    "LayerNorm, no bias": (through, NO_BIAS, normed(True, 1e-5)),
    "LayerNorm, not affine": (through, PLAIN, normed(True, 1e-5)),
    "LayerNorm by hand": (layer_norm_by_hand, None, normed(True, 1e-3)),
    "RMSNorm": (through, RMS, normed(False, 1e-3)),
    "RMSNorm by hand": (rms_by_hand, None, normed(False, 1e-3)),
    "GroupNorm": (through, GROUP, normed(True, 1e-5, PAIRS)),
    "InstanceNorm": (through, INSTANCE, normed(True, 1e-5)),
    "x / |x|": (over_norm, None, normed(False, 0.0, factor=LENGTHS)),
    "normalize": (normalised, None, normed(False, 0.0, factor=LENGTHS)),
}


@pytest.mark.parametrize("name", NORMS)
def test_normalisation(name):
    body, layer, reference = NORMS[name]
    check(two_layer_net(body, **({"norm": layer} if layer else {})), reference, tokens(), ATTN)


def test_instance_norm_by_running_statistics():
    """In eval mode it is an affine map of each channel."""
    norm = nn.InstanceNorm1d(LENGTH, affine=True, track_running_stats=True)
    net = two_layer_net(through, norm=norm)

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        scale = ref.data(m.norm.weight) / np.sqrt(ref.data(m.norm.running_var) + 1e-5)
        shift = ref.data(m.norm.bias) - ref.data(m.norm.running_mean) * scale
        return ref.add(
            ref.scale(linear(x, m.a), scale[:, None]), np.repeat(shift[:, None], WIDTH, 1)
        )

    check(net, reference, tokens(), ATTN)


class BesideItsNorm(nn.Module):
    """The sum of a value and its LayerNorm: relevance of the sum goes to both."""

    def __init__(self, affine: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.norm = nn.LayerNorm(8, elementwise_affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(h + self.norm(h))


def test_a_norm_without_weights_does_not_overwrite_what_arrives():
    """It gives the relevance of a norm whose weights are 1, which allocates a tensor of its own."""
    torch.manual_seed(0)
    with_weights, without = (BesideItsNorm(affine).double().eval() for affine in (True, False))
    without.load_state_dict(with_weights.state_dict(), strict=False)
    x = torch.randn(4, 6).double()
    result, expected = (relprop.explain(m, x, "attnlrp", 1) for m in (without, with_weights))
    torch.testing.assert_close(result.relevance, expected.relevance)
