"""Gates before the first layer of a network: features that do not help it are shut out.

Takes networks for tables. Gives the same networks with a gate for each feature, and without them
once they are trained. Must not know data or training.

m  members      o  outputs of the layer      i  features
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
        members: m of them.
        features: i of them.
    """

    def __init__(self, members: int, features: int) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.full((members, features), _START))

    def forward(self, weight: Tensor) -> Tensor:
        """Multiply the weights (m, o, i) of the layer behind the gates."""
        gates: Tensor = _Penalised.apply(self.gates, _STRENGTH / len(self.gates))  # type: ignore[no-untyped-call]
        return weight * gates[:, None, :]


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
    """Return a family of networks with a gate before each feature.

    Args:
        family: Of tables; its networks begin with a layer of members.
    """

    def build(settings: Settings, facts: Facts) -> nn.Module:
        network = family.build(settings, facts)
        first = _first_layer(network)
        members, _, features = first.weight.shape
        parametrize.register_parametrization(first, "weight", Gates(members, features))
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


def _first_layer(network: nn.Module) -> MemberLinear:
    return next(one for one in network.modules() if isinstance(one, MemberLinear))
