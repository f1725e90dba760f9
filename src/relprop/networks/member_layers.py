"""Linear layers of several networks that are trained side by side in one module: members.

Takes features (n, members * inputs), of each member in turn. Evaluated, members are one ordinary
network of block-diagonal weights, which every rule of linear layers explains. Must not know losses.

n  samples      m  members      i  inputs of a member      o  outputs of a member
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """A linear layer of each member.

    Args:
        members: How many members there are.
        inputs: Features that a member takes.
        outputs: Features that a member gives.
        shared: Whether all members take the same features, as the first layer does.
    """

    def __init__(self, members: int, inputs: int, outputs: int, *, shared: bool = False) -> None:
        super().__init__()
        self.members, self.shared = members, shared
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs))  # (m, o, i)
        self.bias = nn.Parameter(torch.zeros(members * outputs))  # flat: vectors do not decay
        for weight in self.weight:
            nn.init.kaiming_uniform_(weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, m * i), or (n, i) where it is shared, to (n, m * o)."""
        if self.shared or self.members == 1:
            return F.linear(x, self.weight.flatten(0, 1), self.bias)  # (n, m * o)
        if not self.training:
            return F.linear(x, _block_diagonal(self.weight), self.bias)
        return _side_by_side(x, self.weight, self.bias).flatten(1)


class MemberHead(nn.Module):
    """The last layer of each member, and the mean of their scores.

    In training it gives the scores of each member, so that each has a loss of its own: members that
    were trained on the loss of their mean would grow alike.

    Args:
        members: How many members there are.
        inputs: Features that a member takes.
        outputs: Scores of a sample.
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.members = members
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs))  # (m, o, i)
        self.bias = nn.Parameter(torch.zeros(members * outputs))
        nn.init.uniform_(self.weight, -(inputs**-0.5), inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, m * i) to the mean (n, o); in training, of several members, to (n, m, o)."""
        if self.training and self.members > 1:
            return _side_by_side(x, self.weight, self.bias)
        mean = self.weight.transpose(0, 1).flatten(1) / self.members  # (o, m * i)
        return F.linear(x, mean, self.bias.view(self.members, -1).mean(0))  # (n, o)


def _side_by_side(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x W^T + b of each member, (n, m, o), without the zeros between blocks."""
    members, outputs, inputs = weight.shape
    apart = x.view(-1, members, inputs).transpose(0, 1)  # (m, n, i)
    return torch.baddbmm(bias.view(members, 1, outputs), apart, weight.transpose(1, 2)).transpose(
        0, 1
    )


def _block_diagonal(weight: Tensor) -> Tensor:
    """Return weights (m, o, i) as one matrix (m * o, m * i)."""
    matrix: Tensor = torch.block_diag(*weight)  # type: ignore[no-untyped-call]
    return matrix
