"""A network for tables whose members share their weights but for scales: after TabM.

Takes rows (n, features), gives scores (n, outputs): the mean of its members' scores, so that the
ensemble is one network, which can be explained. Must not know preparation or training.

n  samples      m  members      i  inputs      o  outputs of a layer

Source: Gorishniy et al. 2024, "TabM: advancing tabular deep learning with parameter-efficient
ensembling"; the scales are those of BatchEnsemble, Wen et al. 2020.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .member_layers import MemberHead
from .table_mlp import hidden_layers


class ScaledLinear(nn.Module):
    """A linear layer that members share: (x * r) W^T * s + b, with r, s and b of each member.

    Args:
        members: How many members there are.
        inputs: Features that a member takes.
        outputs: Features that a member gives.
        first: Whether it is the layer whose r makes members differ: random signs. Elsewhere all
            scales begin with 1.
    """

    def __init__(self, members: int, inputs: int, outputs: int, *, first: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.members = members
        # flat, (m * i) and (m * o): vectors do not decay
        self.before = nn.Parameter(torch.ones(members * inputs))  # r
        self.after = nn.Parameter(torch.ones(members * outputs))  # s
        self.bias = nn.Parameter(torch.empty(members * outputs))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        nn.init.uniform_(self.bias, -(inputs**-0.5), inputs**-0.5)
        if first:
            self.before.data = torch.randint(0, 2, (members * inputs,)) * 2.0 - 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 1 or m, i) to (n, m, o)."""
        before, after, bias = (
            one.view(self.members, -1) for one in (self.before, self.after, self.bias)
        )
        return F.linear(x * before, self.weight) * after + bias


class TabM(nn.Module):
    """A multilayer perceptron with members that share their weights but for scales.

    Args:
        features: Features of a row.
        outputs: Scores of a row.
        width: Units of a hidden layer.
        depth: Hidden layers.
        activation: "relu" or "gelu".
        dropout: Probability with which a hidden unit is dropped in training.
        ensemble: Members.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        *,
        width: int,
        depth: int,
        activation: str,
        dropout: float,
        ensemble: int,
    ) -> None:
        super().__init__()
        linear = [
            ScaledLinear(ensemble, width if number else features, width, first=not number)
            for number in range(depth)
        ]
        self.hidden = hidden_layers(linear, activation, dropout)
        self.head = MemberHead(ensemble, width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows (n, features) to scores (n, outputs); members in training to (n, m, outputs)."""
        hidden: Tensor = self.hidden(x.unsqueeze(1))  # (n, m, w)
        scores: Tensor = self.head(hidden.flatten(1))
        return scores
