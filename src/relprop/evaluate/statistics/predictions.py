"""Readings: the class that a classifier makes of each sample, and how far it leads.

n  samples      c  classes
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...support.margin import margin
from ...support.numerics import is_finite

Model = Callable[[Tensor], Tensor]  # (n, *features) -> (n, c)


@dataclass(frozen=True)
class Predictions:
    """What a classifier makes of each sample of a batch."""

    prediction: Tensor  # (n,) the class with the largest output
    margin: Tensor  # (n,) (max - second max) / max of the probabilities, in [0, 1]


def predict(model: Model, x: Tensor, *, batch_size: int = 256) -> Predictions:
    """Class and margin of every sample, at most `batch_size` samples per forward pass.

    x  (n, *features), n >= 1
    """
    with torch.inference_mode():
        parts = [predictions_of(model(part)) for part in torch.split(x, batch_size)]
    return Predictions(
        torch.cat([part.prediction for part in parts]), torch.cat([part.margin for part in parts])
    )


def predictions_of(output: Tensor) -> Predictions:
    """The reading of an output (n, c). Raises InputError for another shape, and for NaN."""
    lead = margin(output)  # first, because it checks the shape
    check_output(output)
    return Predictions(output.argmax(1), lead)


def check_output(output: Tensor) -> None:
    """InputError if an output of any shape has NaN or infinite values."""
    if not is_finite(output):
        raise InputError(
            "the model's output has NaN or infinite values",
            "finite scores, one for each class",
            "check the model's weights and its input, with features removed, too",
        )
