"""Gates before the first layer of a network: features that do not help it are shut out.

Takes networks. Gives the same networks with a gate for each input of their first layer, and without
them once they are trained. Must not know data or training.

m  members      o  outputs of the layer      i  inputs: columns, pixels, or channels      s  steps
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...networks.family import Facts, NetworkFamily, Settings
from ...networks.member_layers import MemberLinear

_START = 0.3  # of all gates: a network that begins small learns few features well
_STRENGTH = 0.03  # of the penalty on the sum of |gates|, beside the loss


class Gates(nn.Module):
    """Multiplies each feature by a learned number, whose size is penalised.

    The penalty is their L1 norm, which shuts the gates of features that do not help. Members have
    gates of their own, as each has its own loss.

    Source: the penalty is that of Tibshirani 1996, "Regression shrinkage and selection via the
    lasso"; gates before a network are those of Yamada et al. 2020, "Feature selection using
    stochastic gates", without their noise.

    Args:
        shape: What is broadcast to the weights: (m, 1, i) of members, (1, i) of a linear layer,
            (1, i, 1) of a convolution over time.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.full(shape, _START))

    def forward(self, weight: Tensor) -> Tensor:
        """Multiply the weights of the layer behind the gates: (m, o, i), (o, i) or (o, i, s)."""
        gates: Tensor = _Penalised.apply(self.gates, _STRENGTH / len(self.gates))  # type: ignore[no-untyped-call]
        return weight * gates


class _Penalised(torch.autograd.Function):
    """Leaves a tensor as it is, and adds the gradient of a penalty on its L1 norm to its own."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, strength: float) -> Tensor:
        ctx.save_for_backward(gates)
        ctx.strength = strength
        return gates.view_as(gates)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gates,) = ctx.saved_tensors
        return gradients[0] + ctx.strength * gates.sign(), None


def gated_family(family: NetworkFamily) -> NetworkFamily:
    """Return a family of networks with a gate before each input.

    Args:
        family: Its networks begin with a layer of members, a linear layer, or a convolution over
            time; what comes before it has no weights.
    """

    def build(settings: Settings, facts: Facts) -> nn.Module:
        network = family.build(settings, facts)
        first = _first_layer(network)
        parametrize.register_parametrization(first, "weight", Gates(_shape(first)))
        return network

    return NetworkFamily(family.name, family.modality, build, family.space, family.default)


def fold_gates(network: nn.Module) -> nn.Module:
    """Multiply gates into the weights behind them, in place: the network computes what it did.

    Args:
        network: Of a gated family.

    Returns:
        The same network.
    """
    parametrize.remove_parametrizations(_first_layer(network), "weight")
    return network


def _first_layer(network: nn.Module) -> nn.Module:
    kinds = (MemberLinear, nn.Linear, nn.Conv1d)
    return next(one for one in network.modules() if isinstance(one, kinds))


def _shape(layer: nn.Module) -> tuple[int, ...]:
    """Return the shape of a layer's gates, which is broadcast to its weights."""
    if isinstance(layer, MemberLinear):
        members, _, inputs = layer.weight.shape
        return members, 1, inputs
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return 1, weight.shape[1], *(1 for _ in weight.shape[2:])
