"""A model with a function between two layers."""

from torch import nn


class Between(nn.Module):
    """A function between two layers."""

    def __init__(self, function):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4))
        self.function = function
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.function(self.inner(x)))
