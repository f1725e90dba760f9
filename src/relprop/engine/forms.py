"""The two forms in which relevance travels: as it is, or per unit of activation."""

from enum import Enum

import torch
from torch import Tensor


class Form(Enum):
    """How a tensor holds the relevance R of an activation a.

    GRADIENT   c with R = a * c: it passes through sums unchanged and divides by nothing
    RELEVANCE  R itself: the only form that can give relevance to an activation of zero
    """

    GRADIENT = "gradient"
    RELEVANCE = "relevance"


def stabilise(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Z moved away from zero by epsilon, keeping its sign; zero counts as positive."""
    return torch.where(z < 0, z - epsilon, z + epsilon)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, and 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0, numerator / denominator)
