"""A model whose output reads few positions, and a count of the positions that a call computes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import relprop

from .counters import flops
from .networks import randomise

# The batch, the length and the number of channels: no dimension can be told apart by its size.
SIZE = 4
FLOPS_PER_POSITION = 2 * 2 * SIZE**3  # of a linear layer, forward and backward

Function = Callable[[Tensor], Tensor]


class ReadsPart(nn.Module):
    """A layer at all positions, an operation, and a layer on the part that `read` takes."""

    def __init__(self, operation: Function, read: Function) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.operation, self.read = operation, read
        self.table = nn.Parameter(torch.empty(SIZE, SIZE))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        return self.last(self.read(self.operation(self.first(x) + self.table)))


def first_token(h: Tensor) -> Tensor:
    """The first position of (batch, length, ...)."""
    return h[:, 0]


def positions_computed(model: nn.Module, x: Tensor) -> float:
    """Count the positions at which the first layer runs.

    Asserts first that the explanation is that of the same model without pruning: a model captured
    for one input only, and a call that asks for the relevance of a layer, run at all positions.
    """
    model = randomise(model).double()
    explainer = relprop.Explainer(model, "attnlrp")
    pruned, whole = explainer(x), relprop.Explainer(model, "attnlrp", capture="per-input")(x)
    torch.testing.assert_close(pruned.output, whole.output, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(pruned.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
    inside = explainer(x, layers=["first"])
    torch.testing.assert_close(inside.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
    assert inside.layers["first"].shape == (SIZE, SIZE, SIZE)
    # One unit is the last layer, which always runs at one position.
    return (flops(lambda: explainer(x)) - FLOPS_PER_POSITION) / FLOPS_PER_POSITION
