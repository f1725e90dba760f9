"""Several networks as one: their scores are averaged.

Takes networks of one task. Gives a module that explanations see as a whole, so that its relevance
is that of the averaged score.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class MeanOfMembers(nn.Module):
    """Averages the scores of networks.

    Args:
        members: Networks that map the same inputs to scores, (n, outputs).

    Example:
        >>> import torch
        >>> both = MeanOfMembers([torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)])
        >>> both(torch.rand(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of the members' scores, (n, outputs)."""
        return torch.stack([member(inputs) for member in self.members]).mean(0)
